"""What a run makes: the tables of results that it is compared by, and the tasks they are of."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import ArtifactError
from tuneprobe.formats.results import read_results
from tuneprobe.params import Params
from tuneprobe.states import STATES
from tuneprobe.tasks import SENTENCES

LABEL_TASKS = ("pos", "dep", "ps-role", "ps-fxn", "trec-50")
FOLLOWED = "ps-role"  # the task whose fine-tuning is followed step by step
CROSSED = "ps-fxn"  # the task that is probed under encoders tuned on others
STEP_TABLES = ("steps", "similarity", "paths", "differences")
SENTENCE_TABLES = {"evaluate": "scores", "attention": "heads", "ablate": "heads"}  # stage: table


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
    partial : bool
        What does not lie in the workspace is left out, not missed.
    """

    encoder: str
    reading: str
    labels: str
    texts: tuple[str, ...]
    linked: str
    partial: bool = False

    @classmethod
    def of(cls, params: Params) -> "Inventory":
        """What a run under these parameters makes."""
        return cls(
            params.encoder,
            params.pairwise.corpus,
            params.geometry.corpus,
            params.attention.tasks,
            params.attention.pair_heads.task,
        )

    @classmethod
    def found(cls, params: Params) -> "Inventory":
        """What lies in the workspace of such a run, with all sentence tasks that lie there."""
        texts = tuple(
            task
            for task in SENTENCES
            if any(paths.results(params.encoder, task, study).is_dir() for study in SENTENCE_TABLES)
        )
        return replace(cls.of(params), texts=texts, partial=True)

    @property
    def tasks(self) -> list[str]:
        """Tasks whose examples were made."""
        reading = (f"{self.reading}-pairs", f"{self.reading}-qa")
        return self._made(*reading, *map(self._labelled, LABEL_TASKS), *self.texts)

    @property
    def sources(self) -> list[str]:
        """Tasks whose corpora were read."""
        return [*self.tasks, *self._made(self.linked)]

    def results(self) -> pd.DataFrame:
        """All result rows of the run.

        Raises
        ------
        ArtifactError
            If a table is missing, or all of them where `partial`.
        """
        tables = [table for tables in self.studies.values() for table in tables]
        if not tables:
            raise ArtifactError(
                f"no results of '{self.encoder}' lie in {paths.results(self.encoder)}: run "
                "'dvc repro', or 'dvc repro STAGE' for one study, or 'dvc pull' first."
            )
        return pd.concat([read_results(path) for path in tables], ignore_index=True)

    def step_tables(self) -> dict[str, pd.DataFrame]:
        """Tables of the followed fine-tuning, by ``<task>/dynamics/<name>``."""
        task = self._labelled(FOLLOWED)
        folder = paths.results(self.encoder, task, "dynamics")
        tables = self._here(folder / f"{name}.csv" for name in STEP_TABLES)
        return {f"{task}/dynamics/{table.stem}": read_table(table) for table in tables}

    def map_folders(self) -> dict[str, Path]:
        """Folder of the example maps of each sentence task."""
        folders = {
            task: paths.results(self.encoder, task, "attention") / "maps" for task in self.texts
        }
        here = self._here(folders.values())
        return {task: folder for task, folder in folders.items() if folder in here}

    def artifacts(self) -> list[Path]:
        """Folders whose provenance the page names."""
        pairs = f"{self.reading}-pairs"
        folders = [
            *(paths.examples(task) for task in self.tasks),
            *(paths.representation(self.encoder, pairs, state) for state in STATES),
        ]
        return self._here(folders)

    @property
    def studies(self) -> dict[str, list[Path]]:
        """The tables of result rows of each study; where `partial`, of those that have any."""

        def table(task: str, stage: str, name: str = "layers") -> Path:
            return paths.results(self.encoder, task, stage) / f"{name}.csv"

        labelled = [self._labelled(name) for name in LABEL_TASKS]
        stages = ("classify", "geometry", "similarity")
        tables = {
            "pairwise": [
                table(f"{self.reading}-pairs", "pairwise"),
                table(f"{self.reading}-pairs", "pairwise", "gaps"),
                table(f"{self.reading}-qa", "evaluate", "scores"),
            ],
            "geometry": [
                *(table(task, stage) for task in labelled for stage in stages),
                table(self._labelled(FOLLOWED), "dynamics"),
                table(self._labelled(CROSSED), "cross-task"),
            ],
            "attention": [
                *(table(task, *stage) for task in self.texts for stage in SENTENCE_TABLES.items()),
                table(self.linked, "pair-heads", "pairs"),
            ],
        }
        here = {study: self._here(wanted) for study, wanted in tables.items()}
        return {study: found for study, found in here.items() if found}

    def _labelled(self, name: str) -> str:
        return f"{self.labels}-{name}"

    def _made(self, *tasks: str) -> list[str]:
        """The tasks; where `partial`, those that examples and results lie here of."""
        if not self.partial:
            return list(tasks)
        with_results = [task for task in tasks if paths.results(self.encoder, task).exists()]
        return [task for task in with_results if paths.examples(task).exists()]

    def _here(self, wanted: Iterable[Path]) -> list[Path]:
        return [path for path in wanted if not self.partial or path.exists()]


def read_table(path: Path) -> pd.DataFrame:
    """A CSV table in which only an empty cell is missing: ``NA`` may be a label."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])
