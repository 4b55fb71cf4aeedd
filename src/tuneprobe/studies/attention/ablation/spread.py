"""The ablation sweep in blocks of texts: kept over a kill, spread over processes and machines.

The outputs of a block are kept (`tuneprobe.kept`) under the digest of all that they depend on:
encoder and head, the texts, how they are swept, the code. A block is a run of whole batches, so
that the outputs have the same bits from any number of processes. The caller alone writes what is
kept: a worker loads the checkpoint once and gives back arrays.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np

from tuneprobe.artifacts import ArtifactError, readable
from tuneprobe.backends import different_here, outcomes, unreadable_here
from tuneprobe.digests import COMPUTED_WITH, code_sha256, file_sha256, package_versions
from tuneprobe.encoders.encoder import Encoder, best_device, thread_limit
from tuneprobe.kept import Kept
from tuneprobe.remedy import remedy
from tuneprobe.scores.label_scores import Labeller, load_tuned
from tuneprobe.studies.attention.ablation.sweep import Manner, Outputs, Sweep, sweep_block
from tuneprobe.tuning.labelled_texts import LabelledTexts

OUTPUTS = "outputs.npy"


@dataclass(frozen=True)
class Tuned:
    """A tuned labeller, in words that mean the same in every process.

    Attributes
    ----------
    encoder, state, seed, checkpoint, source
        As for `load_tuned`; `source` as items. Paths are absolute.
    threads : int
        Of torch, wherever blocks are swept.
    """

    encoder: str
    state: str
    seed: int
    checkpoint: Path
    source: tuple[tuple[str, Any], ...]
    threads: int

    def sha256(self) -> str:
        """Of all that the outputs depend on beside the texts: model, code, packages, device.

        Raises
        ------
        ArtifactError
            If there is no checkpoint.
        """
        if not self.checkpoint.is_dir():
            raise ArtifactError(f"{self.checkpoint} is missing: {remedy(self.checkpoint)}")
        facts = {
            "encoder": [self.encoder, self.state, self.seed, self.threads],
            "files": {path.name: file_sha256(path) for path in self.checkpoint.iterdir()},
            "code": code_sha256(),
            "packages": package_versions(),
            "device": best_device().type,
        }
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def loaded(tuned: Tuned, model: str) -> Labeller:
    """The labeller whose `Tuned.sha256` is `model`, loaded once in a process.

    Raises
    ------
    ClusterError
        If this process cannot read the checkpoint, or has another one, or other code.
    """
    try:
        found = tuned.sha256()
    except (ArtifactError, OSError):
        raise unreadable_here(tuned.checkpoint) from None
    if found != model:
        raise different_here(
            f"checkpoint in {tuned.checkpoint}, another tuneprobe, another kind of device, or "
            f"other versions of {', '.join(COMPUTED_WITH)}"
        )
    return load_tuned(
        tuned.encoder,
        state=tuned.state,
        seed=tuned.seed,
        checkpoint=tuned.checkpoint,
        **dict(tuned.source),
    )


def kept_sweep(
    tuned: Tuned, model: str, *, cache: Path, workers: int, backend: str = "local"
) -> Sweep:
    """What `ablation_sweep` calls to have blocks swept by several processes.

    Parameters
    ----------
    model : str
        ``tuned.sha256()``.
    cache : Path
        Keeps the outputs of finished blocks; for the caller to remove once the results are written.
    workers : int
        Processes of this machine; no bit depends on it, unless the memory of a GPU runs out.
    backend : str
        Where blocks are swept, as `backends.outcomes` has it; the same holds of it.

    Raises
    ------
    ClusterError
        When it sweeps: if the cluster cannot, or has another checkpoint or code than this machine.
    """

    def sweep(blocks: list[LabelledTexts], manner: Manner) -> Iterator[tuple[int, Outputs]]:
        kept = Kept(cache)
        digests = [_digest(model, block, manner) for block in blocks]
        calls = []
        for number, (digest, block) in enumerate(zip(digests, blocks, strict=True)):
            if digest in kept:
                with readable(kept.at(digest) / OUTPUTS) as path:
                    outputs = np.load(path, allow_pickle=False)
                yield number, outputs
            else:
                calls.append((tuned, model, number, _portable(block), manner))
        for number, outputs in outcomes(_sweep, calls, backend=backend, processes=workers):
            with kept.writing(digests[number]) as part:
                np.save(part / OUTPUTS, outputs)
            yield number, outputs

    return sweep


def _digest(model: str, block: LabelledTexts, manner: Manner) -> str:
    """SHA-256 of everything that the outputs of a block depend on."""
    digest = sha256(f"{model} {block.sha256()} {manner.ablation} {manner.tokens}".encode())
    for means in manner.means or []:
        digest.update(means.tobytes())
    return digest.hexdigest()


def _portable(block: LabelledTexts) -> LabelledTexts:
    """The texts without the encoder: each process has its own."""
    return replace(block, encoder=cast(Encoder, None))


def _sweep(
    tuned: Tuned, model: str, number: int, block: LabelledTexts, manner: Manner
) -> tuple[int, Outputs]:
    """The number and the outputs of a block."""
    thread_limit(tuned.threads)
    labeller = loaded(tuned, model)
    return number, sweep_block(labeller.head, replace(block, encoder=labeller.encoder), manner)
