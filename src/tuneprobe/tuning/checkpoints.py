"""Checkpoints: a tuned encoder and its head, and the point where a killed training goes on.

A checkpoint is a folder: ``model.safetensors``, ``config.json`` and tokenizer files (none of them
in the state ``frozen``, whose encoder is the pre-trained one), ``head.safetensors``, ``meta.json``;
with a LoRA, which is merged into the weights, the folder ``adapter`` as PEFT writes it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from tuneprobe.artifacts import (
    ArtifactError,
    atomic_folder,
    read_json,
    read_meta,
    readable,
    write_json,
    write_meta,
)
from tuneprobe.digests import computed_on, file_sha256
from tuneprobe.encoders.encoder import Encoder
from tuneprobe.encoders.source import WEIGHTS
from tuneprobe.kept import Kept
from tuneprobe.states import FROZEN
from tuneprobe.tuning.heads import Head, make_head
from tuneprobe.tuning.ways import ADAPTER, Adapter

HEAD = "head.safetensors"
TENSORS, PROGRESS = "tensors.safetensors", "progress.json"


def write_checkpoint(
    folder: Path,
    encoder: Encoder,
    head: Head,
    *,
    kind: str,
    state: str,
    adapter: Adapter | None = None,
    **facts: Any,
) -> None:
    """Write head and, unless frozen, encoder in one step; the same training, the same bytes.

    Parameters
    ----------
    kind : str
        Kind of head, e.g. ``qa``.
    state : str
        ``frozen``, or that of a tuned encoder.
    adapter : Adapter, optional
        The LoRA that was merged into the encoder; kept beside it.
    facts : Any
        What else meta.json should say: task, seed, settings, losses.
    """
    with atomic_folder(folder) as part:
        if state != FROZEN:
            encoder.model.save_pretrained(part)
            encoder.tokenizer.save_pretrained(part)
        if adapter:
            adapter.write(part / ADAPTER)
        save_file(_on_processor(head.state_dict()), part / HEAD)
        weights = encoder.weights_sha256 if state == FROZEN else file_sha256(part / WEIGHTS)
        write_meta(
            part,
            **facts,
            encoder=encoder.name,
            state=state,
            kind=kind,
            head_shape=head.shape,
            weights_sha256=weights,
            head_sha256=file_sha256(part / HEAD),
            tokenizer_sha256=encoder.tokenizer_sha256,
            linear=encoder.linear,
            computed_on=computed_on(),
        )


def read_head(folder: Path, encoder: Encoder) -> Head:
    """The trained head of a checkpoint, on the encoder's device and in evaluation mode.

    Raises
    ------
    ArtifactError
        If the checkpoint is missing or damaged, or the head was trained on other encoder weights.
    """
    meta = read_meta(folder)
    if meta["weights_sha256"] != encoder.weights_sha256:
        raise ArtifactError(
            f"{folder} has a head for encoder weights {meta['weights_sha256'][:12]}, but "
            f"'{encoder.name}' ({encoder.state}) has {encoder.weights_sha256[:12]}: "
            "run 'dvc repro finetune'."
        )
    head = make_head(meta["kind"], encoder.dim, seed=0, **meta.get("head_shape", {}))
    with readable(folder / HEAD) as path:
        head.load_state_dict(load_file(path))
    return head.to(encoder.device).eval()


def load_head(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of a checkpoint's head as arrays, for a probe that loads no model.

    A reader has ``span.weight`` of shape (2, dim), rows start and end; ``span.bias`` (2,);
    ``answer_type.weight`` (5, dim) and ``answer_type.bias`` (5,), rows as in `ANSWER_TYPES`. A
    classifier has ``output.weight`` of shape (n_labels, dim * n_spans) and ``output.bias``.
    """
    read_meta(folder)
    with readable(folder / HEAD) as path:
        weights: dict[str, NDArray[np.float32]] = load_arrays(path)
    return weights


@dataclass(frozen=True)
class ResumePoint:
    """A training on its way.

    Attributes
    ----------
    losses : list of float
        One per step that is done.
    tensors : dict
        Weights and optimizer moments by name.
    """

    losses: list[float]
    tensors: dict[str, Tensor]


def write_resume_point(folder: Path, fingerprint: str, point: ResumePoint) -> None:
    """Replace the resume point in `folder` in one step."""
    kept = Kept(folder)
    with kept.writing(fingerprint) as part:
        save_file(_on_processor(point.tensors), part / TENSORS)
        write_json(part / PROGRESS, {"losses": point.losses})
    kept.keep_only(fingerprint)


def read_resume_point(folder: Path, fingerprint: str) -> ResumePoint | None:
    """The resume point of the training that `fingerprint` describes; None if none is whole."""
    kept = Kept(folder)
    if fingerprint not in kept:
        return None
    losses = read_json(kept.at(fingerprint) / PROGRESS)["losses"]
    return ResumePoint(losses, load_file(kept.at(fingerprint) / TENSORS))


def remove_resume_point(folder: Path) -> None:
    """Remove a resume point, and the unfinished one that a killed process may have left."""
    Kept(folder).remove()


def _on_processor(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
