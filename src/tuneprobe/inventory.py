"""What a run makes: the tables of results that it is compared by, and the tasks they are of."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import ArtifactError, read_json, read_meta, readable
from tuneprobe.collect.tables import quick
from tuneprobe.formats.representations import READ_FROM
from tuneprobe.formats.results import read_results
from tuneprobe.params import Params, Run
from tuneprobe.states import FROZEN, TUNED

STEP_TABLES = ("steps", "similarity", "paths", "differences")
LABEL_STAGES = ("classify", "geometry", "similarity")
SENTENCE_TABLES = {"evaluate": "scores", "attention": "heads", "ablate": "heads"}  # stage: table


@dataclass(frozen=True)
class Inventory:
    """The artifacts of one run, as dvc.yaml makes them: its tasks by what they are measured for."""

    run: Run
    reading: tuple[str, ...]  # of the pairwise study
    labelled: tuple[str, ...]  # of the geometry study
    followed: tuple[str, ...]  # whose fine-tuning is followed step by step
    crossed: tuple[str, ...]  # probed under encoders tuned on others
    texts: tuple[str, ...]  # sentence tasks of the attention study
    linked: tuple[str, ...]  # whose annotated word pairs the heads are scored on
    changed: tuple[str, ...]  # by the names of their examples
    restored: tuple[str, ...]  # whose layers are put back while they are tuned
    led: tuple[int, ...]  # seeds to whose weights the path from the first seed's leads
    partial: bool = False  # what does not lie in the workspace is left out, not missed

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
            params.change.dynamics.tasks,
            params.change.seeds,
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
        made = set(self.tasks)
        reading = [
            task for task in self.reading if {paths.pairs(task), paths.questions(task)} & made
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
        if missing := [table for table in tables if not table.exists()]:
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
        wanted = [(task, "classify", "words") for task in self.labelled]
        wanted += [(task, "dynamics", name) for task in self.followed for name in STEP_TABLES]
        return {
            f"{task}/{stage}/{name}": read_table(table)
            for task, stage, name in wanted
            for table in self._here([self._folder(task, stage) / f"{name}.csv"])
        }

    def losses(self) -> pd.DataFrame:
        """The training curves that lie here: ``task, state, seed, step`` and ``loss``."""
        named = (*map(paths.questions, self.reading), *self.labelled, *self.texts)
        found = [
            pd.read_csv(curve, sep="\t").assign(task=task, state=state, seed=seed)
            for task, state, seed in product(named, (*TUNED, FROZEN), self.run.seeds)
            if (curve := paths.losses(self.encoder, task, state, seed)).exists()
        ]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()

    def map_folders(self) -> dict[str, Path]:
        """Folder of the example maps of each sentence task."""
        return {
            task: folder
            for task in self.texts
            for folder in self._here([self._folder(task, "attention") / "maps"])
        }

    def artifacts(self) -> dict[str, Mapping[str, object]]:
        """Provenance (meta.json) of what the numbers come from, by the path of its folder."""
        folders = self._here(paths.examples(task) for task in self.tasks)
        found: dict[str, Any] = {str(folder): read_meta(folder) for folder in folders}
        probed = (self._folder(paths.pairs(task), "pairwise") for task in self.reading)
        for path in self._here(folder / READ_FROM for folder in probed):
            found |= read_json(path)
        return found

    @property
    def studies(self) -> dict[str, list[Path]]:
        """The tables of result rows of each study; where `partial`, of those that have any."""
        found: dict[str, list[Path]] = {}
        for study, task, stage, name in self._wanted():
            tables = (
                paths.results(encoder, task, stage, seed) / f"{name}.csv"
                for encoder in self.run.encoders
                for seed in (self.led if stage == "change-seeds" else self.run.seeds)
            )
            if here := self._here(tables):
                found.setdefault(study, []).extend(here)
        return found

    def _wanted(self) -> Iterator[tuple[str, str, str, str]]:
        """Study, task, stage and name of each table."""
        for task in self.reading:
            yield "pairwise", paths.pairs(task), "pairwise", "layers"
            yield "pairwise", paths.pairs(task), "pairwise", "gaps"
            yield "pairwise", paths.questions(task), "evaluate", "scores"
        for task, stage in product(self.labelled, LABEL_STAGES):
            yield "geometry", task, stage, "layers"
        yield from (("geometry", task, "dynamics", "layers") for task in self.followed)
        yield from (("geometry", task, "cross-task", "layers") for task in self.crossed)
        for task, (stage, name) in product(self.texts, SENTENCE_TABLES.items()):
            yield "attention", task, stage, name
        yield from (("attention", task, "pair-heads", "pairs") for task in self.linked)
        yield from (("change", task, "change", "layers") for task in self.changed)
        yield from (("change", task, "change-seeds", "path") for task in self.changed)
        yield from (("change", task, "change-steps", "layers") for task in self.restored)
        yield from (("change", paths.pairs(task), "patch", "layers") for task in self.reading)

    def _folder(self, task: str, stage: str) -> Path:
        """Results of the encoder and seed that are shown."""
        return paths.results(self.encoder, task, stage, self.seed)

    def _present(self, *tasks: str) -> list[str]:
        """The tasks; where `partial`, those that examples and results lie here of."""
        if not self.partial:
            return list(tasks)
        return [
            task
            for task in tasks
            if any((paths.RESULTS / encoder / task).exists() for encoder in self.run.encoders)
            and paths.examples(task).exists()
        ]

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
