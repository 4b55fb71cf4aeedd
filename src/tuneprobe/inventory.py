"""What a run makes: the tables of results that it is compared by, and the tasks they are of."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import ArtifactError, read_json, read_meta, readable
from tuneprobe.collect.tables import quick
from tuneprobe.formats.representations import READ_FROM
from tuneprobe.formats.results import read_results
from tuneprobe.params import Params, Run

STEP_TABLES = ("steps", "similarity", "paths", "differences")
LABEL_STAGES = ("classify", "geometry", "similarity")
SENTENCE_TABLES = {"evaluate": "scores", "attention": "heads", "ablate": "heads"}  # stage: table

Wanted = tuple[str, str, str]  # task, stage, name of the table


@dataclass(frozen=True)
class Inventory:
    """The artifacts of one run, as dvc.yaml makes them.

    Attributes
    ----------
    run : Run
        Encoders, seeds and draws.
    reading : tuple of str
        Reading tasks of the pairwise study.
    labelled, followed, crossed : tuple of str
        Tasks of the geometry study; those whose fine-tuning is followed step by step; those that
        are probed under encoders tuned on others.
    texts : tuple of str
        Sentence tasks of the attention study.
    linked : tuple of str
        Tasks whose annotated word pairs the heads are scored on.
    changed : tuple of str
        Tuned tasks, by the names of their examples, whose change is measured.
    partial : bool
        What does not lie in the workspace is left out, not missed.
    """

    run: Run
    reading: tuple[str, ...]
    labelled: tuple[str, ...]
    followed: tuple[str, ...]
    crossed: tuple[str, ...]
    texts: tuple[str, ...]
    linked: tuple[str, ...]
    changed: tuple[str, ...]
    partial: bool = False

    @classmethod
    def of(cls, params: Params) -> "Inventory":
        """What a run under these parameters makes."""
        return cls(
            params.run,
            params.pairwise.tasks,
            params.geometry.tasks,
            params.geometry.dynamics.tasks,
            params.geometry.cross.tasks,
            params.attention.tasks,
            tuple(one.task for one in params.attention.pair_heads.tasks),
            params.change.tasks,
        )

    @classmethod
    def found(cls, params: Params) -> "Inventory":
        """What lies in the workspace of such a run, with all sentence tasks that lie there."""
        texts = tuple(
            name
            for name, task in params.tasks.items()
            if task.kind in ("label", "score")
            and name not in params.geometry.tasks
            and any(_made(params.run, name, stage) for stage in SENTENCE_TABLES)
        )
        return replace(cls.of(params), texts=texts, partial=True)

    @property
    def encoder(self) -> str:
        """The encoder that a page of one encoder shows: the first."""
        return self.run.encoders[0]

    @property
    def seed(self) -> int:
        """The seed that a page of one seed shows: the first, which has the random weights."""
        return self.run.seeds[0]

    @property
    def tasks(self) -> list[str]:
        """Tasks whose examples were made, by the names of their folders."""
        reading = [name(task) for task in self.reading for name in (paths.pairs, paths.questions)]
        return self._present(*reading, *self.labelled, *self.texts)

    @property
    def sources(self) -> list[str]:
        """Tasks whose corpora were read, by the names of their entries."""
        reading = [
            task
            for task in self.reading
            if self._present(paths.pairs(task)) or self._present(paths.questions(task))
        ]
        return [*reading, *self._present(*self.labelled, *self.texts, *self.linked)]

    def results(self) -> pd.DataFrame:
        """The result rows of all encoders and seeds of the run.

        Raises
        ------
        ArtifactError
            If a table is missing, or all of them where `partial`.
        """
        tables = [table for tables in self.studies.values() for table in tables]
        if not tables:
            encoders = ", ".join(f"'{encoder}'" for encoder in self.run.encoders)
            raise ArtifactError(
                f"no results of {encoders} lie in {paths.RESULTS}: run 'dvc repro', or "
                "'dvc repro STAGE' for one study, or 'dvc pull' first."
            )
        missing = [table for table in tables if not table.exists()]
        if missing:
            others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise ArtifactError(
                f"params.yaml asks for {missing[0]}{others}, missing here: run 'dvc repro' (or "
                "'dvc pull')."
            )
        return quick(pd.concat([read_results(path) for path in tables], ignore_index=True))

    def shown(self, results: pd.DataFrame) -> pd.DataFrame:
        """The rows of the first encoder, under all its seeds and draws."""
        return results[results.encoder == self.encoder].reset_index(drop=True)

    def step_tables(self) -> dict[str, pd.DataFrame]:
        """Tables of the followed fine-tunings and of words, by ``<task>/<stage>/<name>``."""
        words = {
            f"{task}/classify/words": read_table(table)
            for task in self.labelled
            for table in [self._folder(task, "classify") / "words.csv"]
            if table.exists()  # a run of before has none
        }
        return words | {
            f"{task}/dynamics/{name}": read_table(table)
            for task in self.followed
            for name in STEP_TABLES
            for table in self._here([self._folder(task, "dynamics") / f"{name}.csv"])
        }

    def map_folders(self) -> dict[str, Path]:
        """Folder of the example maps of each sentence task."""
        folders = {task: self._folder(task, "attention") / "maps" for task in self.texts}
        here = self._here(folders.values())
        return {task: folder for task, folder in folders.items() if folder in here}

    def artifacts(self) -> dict[str, Mapping[str, object]]:
        """Provenance (meta.json) of what the numbers come from, by the path of its folder."""
        folders = self._here(paths.examples(task) for task in self.tasks)
        found: dict[str, Mapping[str, object]] = {
            str(folder): read_meta(folder) for folder in folders
        }
        for task in self.reading:
            pairwise = self._folder(paths.pairs(task), "pairwise")
            for path in self._here([pairwise / READ_FROM]):
                found |= read_json(path)
        return found

    @property
    def studies(self) -> dict[str, list[Path]]:
        """The tables of result rows of each study; where `partial`, of those that have any."""
        tables = {
            "pairwise": self._tables(self._pairwise()),
            "geometry": self._tables(self._geometry()),
            "attention": self._tables(self._attention()),
            "change": self._tables(self._change()),
        }
        here = {study: self._here(wanted) for study, wanted in tables.items()}
        return {study: found for study, found in here.items() if found}

    def _pairwise(self) -> Iterator[Wanted]:
        for task in self.reading:
            yield paths.pairs(task), "pairwise", "layers"
            yield paths.pairs(task), "pairwise", "gaps"
            yield paths.questions(task), "evaluate", "scores"

    def _geometry(self) -> Iterator[Wanted]:
        yield from ((task, stage, "layers") for task in self.labelled for stage in LABEL_STAGES)
        yield from ((task, "dynamics", "layers") for task in self.followed)
        yield from ((task, "cross-task", "layers") for task in self.crossed)

    def _attention(self) -> Iterator[Wanted]:
        yield from ((task, *one) for task in self.texts for one in SENTENCE_TABLES.items())
        yield from ((task, "pair-heads", "pairs") for task in self.linked)

    def _change(self) -> Iterator[Wanted]:
        yield from ((task, "change", "layers") for task in self.changed)
        yield from ((paths.pairs(task), "patch", "layers") for task in self.reading)

    def _tables(self, wanted: Iterable[Wanted]) -> list[Path]:
        """The tables of every encoder and seed."""
        return [
            paths.results(encoder, task, stage, seed) / f"{name}.csv"
            for task, stage, name in wanted
            for encoder in self.run.encoders
            for seed in self.run.seeds
        ]

    def _folder(self, task: str, stage: str) -> Path:
        """Results of the encoder and seed that are shown."""
        return paths.results(self.encoder, task, stage, self.seed)

    def _present(self, *tasks: str) -> list[str]:
        """The tasks; where `partial`, those that examples and results lie here of."""
        if not self.partial:
            return list(tasks)
        with_results = [
            task
            for task in tasks
            if any((paths.RESULTS / encoder / task).exists() for encoder in self.run.encoders)
        ]
        return [task for task in with_results if paths.examples(task).exists()]

    def _here(self, wanted: Iterable[Path]) -> list[Path]:
        return [path for path in wanted if not self.partial or path.exists()]


def _made(run: Run, task: str, stage: str) -> bool:
    """Whether results of a stage lie in the workspace, of any encoder and seed of the run."""
    return any(
        paths.results(encoder, task, stage, seed).is_dir()
        for encoder in run.encoders
        for seed in run.seeds
    )


def read_table(path: Path) -> pd.DataFrame:
    """A CSV table in which only an empty cell is missing: ``NA`` may be a label."""
    with readable(path):
        table: pd.DataFrame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    return table
