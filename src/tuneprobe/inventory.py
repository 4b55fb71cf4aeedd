"""What a run makes: the tables of results that it is compared by, and the tasks they are of."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tuneprobe import paths
from tuneprobe.results import read_results
from tuneprobe.states import STATES

LABEL_TASKS = ("pos", "dep", "ps-role", "ps-fxn", "trec-50")
FOLLOWED = "ps-role"  # the task whose fine-tuning is followed step by step
CROSSED = "ps-fxn"  # the task that is probed under encoders tuned on others
STEP_TABLES = ("steps", "similarity", "paths", "differences")


@dataclass(frozen=True)
class Inventory:
    """The artifacts of one run, as dvc.yaml makes them.

    Attributes
    ----------
    encoder : str
    reading, labels : str
        Corpora of the pairwise and of the geometry study: the prefixes of their tasks.
    texts : tuple of str
        Sentence tasks of the attention study.
    linked : str
        Task whose annotated word pairs the heads are scored on.
    """

    encoder: str
    reading: str
    labels: str
    texts: tuple[str, ...]
    linked: str

    @property
    def tasks(self) -> list[str]:
        """Tasks whose examples were made."""
        labelled = (self._labelled(name) for name in LABEL_TASKS)
        return [f"{self.reading}-pairs", f"{self.reading}-qa", *labelled, *self.texts]

    def results(self) -> pd.DataFrame:
        """All result rows of the run."""
        return pd.concat([read_results(path) for path in self._tables()], ignore_index=True)

    def step_tables(self) -> dict[str, pd.DataFrame]:
        """Tables of the followed fine-tuning, by ``<task>/dynamics/<name>``."""
        task = self._labelled(FOLLOWED)
        folder = paths.results(self.encoder, task, "dynamics")
        return {
            f"{task}/dynamics/{name}": read_table(folder / f"{name}.csv") for name in STEP_TABLES
        }

    def map_folders(self) -> dict[str, Path]:
        """Folder of the attention study of each sentence task."""
        return {task: paths.results(self.encoder, task, "attention") for task in self.texts}

    def artifacts(self) -> list[Path]:
        """Folders whose provenance the page names."""
        pairs = f"{self.reading}-pairs"
        return [
            *(paths.examples(task) for task in self.tasks),
            *(paths.representation(self.encoder, pairs, state) for state in STATES),
        ]

    def _labelled(self, name: str) -> str:
        return f"{self.labels}-{name}"

    def _tables(self) -> Iterator[Path]:
        def of(task: str, study: str, *tables: str) -> Iterator[Path]:
            return (paths.results(self.encoder, task, study) / f"{table}.csv" for table in tables)

        yield from of(f"{self.reading}-pairs", "pairwise", "layers", "gaps")
        yield from of(f"{self.reading}-qa", "evaluate", "scores")
        for name in LABEL_TASKS:
            for study in ("classify", "geometry", "similarity"):
                yield from of(self._labelled(name), study, "layers")
        yield from of(self._labelled(FOLLOWED), "dynamics", "layers")
        yield from of(self._labelled(CROSSED), "cross-task", "layers")
        for task in self.texts:
            yield from of(task, "evaluate", "scores")
            yield from of(task, "attention", "heads")
            yield from of(task, "ablate", "heads")
        yield from of(self.linked, "pair-heads", "pairs")


def read_table(path: Path) -> pd.DataFrame:
    """A CSV table in which only an empty cell is missing: ``NA`` may be a label."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])
