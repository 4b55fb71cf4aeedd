"""The ablation sweep in blocks of texts: kept over a kill, spread over processes and machines.

The outputs of a block lie in a cache under the digest of all that they depend on: encoder and head,
the texts, how they are swept, the code. A block is a run of whole batches, so that the outputs have
the same bits from any number of processes. The caller alone writes the cache: a worker loads the
checkpoint once and gives back arrays.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np

from tuneprobe.ablation.sweep import Manner, Outputs, Sweep, sweep_block
from tuneprobe.artifacts import (
    COMPUTED_WITH,
    atomic_folder,
    code_sha256,
    file_sha256,
    package_versions,
)
from tuneprobe.backends import different_here, outcomes, unreadable_here
from tuneprobe.encoders.encoder import Encoder, thread_limit
from tuneprobe.scores.label_scores import Labeller, load_tuned
from tuneprobe.tuning.labelled_texts import LabelledTexts

OUTPUTS = "outputs.npy"


@dataclass(frozen=True)
class Tuned:
    """A tuned labeller, in words that mean the same in every process.

    Attributes
    ----------
    encoder, state, seed, checkpoint, source
        As for `load_tuned`; `source` as items.
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
        """Of the words, and of the files of the checkpoint."""
        files = sorted(path for path in self.checkpoint.iterdir() if path.is_file())
        facts = {
            "words": {**asdict(self), "checkpoint": None},
            "files": {path.name: file_sha256(path) for path in files},
            "code": code_sha256(),
            "packages": package_versions(),
        }
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def loaded(tuned: Tuned) -> Labeller:
    """The labeller, loaded once in a process, which from then on has `tuned.threads` threads."""
    thread_limit(tuned.threads)
    return load_tuned(
        tuned.encoder,
        state=tuned.state,
        seed=tuned.seed,
        checkpoint=tuned.checkpoint,
        **dict(tuned.source),
    )


def kept_sweep(tuned: Tuned, *, cache: Path, workers: int, backend: str = "local") -> Sweep:
    """What `ablation_sweep` calls to have blocks swept by several processes.

    Parameters
    ----------
    cache : Path
        Keeps the outputs of finished blocks; for the caller to remove once the results are written.
    workers : int
        Processes of this machine; no bit depends on it.
    backend : str
        Where blocks are swept, as `backends.outcomes` has it; no bit depends on it.

    Raises
    ------
    ClusterError
        When it sweeps: if the cluster cannot, or has another checkpoint or code than this machine.
    """

    def sweep(blocks: list[LabelledTexts], manner: Manner) -> Iterator[tuple[int, Outputs]]:
        model = tuned.sha256()
        folders = [cache / _digest(model, block, manner) for block in blocks]
        left = [number for number, folder in enumerate(folders) if not folder.exists()]
        yield from (
            (number, np.load(folder / OUTPUTS))
            for number, folder in enumerate(folders)
            if number not in left
        )
        calls = [(tuned, model, number, _portable(blocks[number]), manner) for number in left]
        function = _sweep if backend == "local" else _sweep_away
        for number, outputs in outcomes(function, calls, backend=backend, processes=workers):
            with atomic_folder(folders[number]) as part:
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
    tuned: Tuned, _: str, number: int, block: LabelledTexts, manner: Manner
) -> tuple[int, Outputs]:
    """The number and the outputs of a block."""
    labeller = loaded(tuned)
    return number, sweep_block(labeller.head, replace(block, encoder=labeller.encoder), manner)


def _sweep_away(
    tuned: Tuned, model: str, number: int, block: LabelledTexts, manner: Manner
) -> tuple[int, Outputs]:
    """`_sweep` on another machine, once that has the same checkpoint and code."""
    try:
        model_here = tuned.sha256()
    except OSError as error:
        raise unreadable_here(error.filename) from None
    if model_here != model:
        raise different_here(
            f"checkpoint in {tuned.checkpoint}, another tuneprobe, or other versions of "
            f"{', '.join(COMPUTED_WITH)}"
        )
    return _sweep(tuned, model, number, block, manner)
