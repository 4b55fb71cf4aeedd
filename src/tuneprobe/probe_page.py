"""A page for one table of labelled texts, without a repository: ``tuneprobe probe``.

The geometry study (classifiers, clusters, similarity) of an encoder with random weights, as
published and, where one is given, as it was tuned elsewhere. Nothing is tuned here.
"""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tuneprobe.artifacts import read_meta
from tuneprobe.corpora.lines import plain_name
from tuneprobe.encoders.encoder import Encoder, load_encoder, load_tuned_elsewhere
from tuneprobe.encoders.represent import write_representations
from tuneprobe.errors import TuneprobeError
from tuneprobe.examples.labelled import build_labelled
from tuneprobe.formats.examples import Examples
from tuneprobe.formats.representations import Representations, open_representations
from tuneprobe.formats.results import Result, to_frame
from tuneprobe.measures import check_measures
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.origin import Origin, library_versions
from tuneprobe.page.registry import all_measures
from tuneprobe.params import Classify, DirectProbe, Intervals, Represent, Similarity, Texts
from tuneprobe.spaces import example_table
from tuneprobe.states import FINETUNED, PRETRAINED, RANDOM
from tuneprobe.studies.geometry.classifiers.study import probe_spaces
from tuneprobe.studies.geometry.directprobe.study import DISTANCES, cluster_spaces, read_distances
from tuneprobe.studies.geometry.similarity.study import compare_spaces
from tuneprobe.tasks import TABLES, Columns, Task
from tuneprobe.yaml_file import read_yaml

SETTINGS = Path(__file__).with_name("probe.yaml")
FILES = tuple(form for form in TABLES if form != "hub")
FEW = 5  # examples a label has on the average, at least


class ProbeError(TuneprobeError):
    """Data that no page can be made of."""


class Settings(NamedTuple):
    """The blocks of probe.yaml, each as params.yaml has it."""

    intervals: Intervals
    texts: Texts
    represent: Represent
    classify: Classify
    directprobe: DirectProbe
    similarity: Similarity


@cache
def settings() -> Settings:
    """What probe.yaml says."""
    given = read_yaml(SETTINGS)
    kinds = Settings.__annotations__
    return Settings(
        *(kinds[name].model_validate_json(json.dumps(given[name])) for name in Settings._fields)
    )


def read_table(data: Path, columns: Columns) -> Examples:
    """The examples of a TSV, CSV, JSON-lines or Parquet file, or of a folder of such files.

    Raises
    ------
    ProbeError
        If the file is of another kind, a line cannot be read, a column is missing, or its labels
        are no classes.
    """
    names = [path.name for path in (sorted(data.glob("*")) if data.is_dir() else [data])]
    kinds = Counter(plain_name(name).rpartition(".")[2] for name in names)
    form = next((kind for kind, _ in kinds.most_common() if kind in FILES), "")
    if not form or not data.exists():
        raise ProbeError(
            f"{data} is {'of another kind' if data.exists() else 'missing'}: give a file (or a "
            f"folder of files) whose name ends with {', '.join(f'.{kind}' for kind in FILES)}."
        )
    with TemporaryDirectory() as folder:
        if data.is_file():
            shutil.copyfile(data, Path(folder) / data.name)
        path = data.absolute() if data.is_dir() else Path(folder)
        task = Task.model_validate({"format": form, "path": str(path), "columns": columns})
        given = settings().texts
        try:
            examples, _, _ = build_labelled(task, Path(), seed=13, **given.model_dump())
        except TuneprobeError as error:
            said = str(error).replace(f"{folder}/{data.name}", str(data))
            raise ProbeError(said.replace(folder, str(data))) from error
    labels = examples.examples.label
    if labels.nunique() > len(labels) / FEW:
        raise ProbeError(
            f"the column '{columns.label}' of {data} has {labels.nunique()} different labels in "
            f"{len(labels)} texts: name a column of classes."
        )
    return examples


def probe_table(
    encoder: tuple[str, dict[str, Any]],
    tuned: tuple[str, dict[str, Any]] | None,
    data: Path,
    columns: Columns,
    *,
    seed: int = 13,
    workers: int = 1,
) -> PageInputs:
    """Measure a table in every state of an encoder: what `write_page` writes the page from.

    Parameters
    ----------
    encoder, tuned : tuple of name and source
        Sources as for `load_encoder` and `load_tuned_elsewhere`.
    seed : int
        Of the random weights and of the probes.
    """
    examples = read_table(data, columns)
    name = tuned[0] if tuned else encoder[0]
    task = re.sub(r"[^A-Za-z0-9_-]", "-", plain_name(data.name).partition(".")[0]) or "data"
    pretrained = load_encoder(name, **encoder[1])
    by_state = {RANDOM: load_encoder(name, state=RANDOM, seed=seed, **encoder[1])}
    by_state[PRETRAINED] = pretrained
    if tuned:
        found = load_tuned_elsewhere(pretrained, **tuned[1])
        by_state[FINETUNED] = replace(found, state=FINETUNED)
    with TemporaryDirectory() as work:
        spaces = _represented(by_state, examples, Path(work))
        keys: dict[str, Any] = {"encoder": name, "task": task, "seed": seed}
        rows = _measured(spaces, examples, Path(work), workers, keys)
        artifacts = {state: read_meta(found.folder) for state, found in spaces.items()}
    entry: dict[str, Any] = {"base": encoder[0]} if tuned else {}
    given = {part: getattr(settings(), part).model_dump() for part in Settings._fields}
    return PageInputs(
        results=check_measures(to_frame(rows), all_measures()),
        params={
            "run": {"encoders": [name], "seeds": [seed], "draws": [seed]},
            "encoders": {name: entry},
            "intervals": given["intervals"],
            "prepare": {"texts": given["texts"]},
            "represent": given["represent"],
            "geometry": {key: given[key] for key in ("classify", "directprobe", "similarity")},
        },
        artifacts=artifacts,
        encoder=name,
        corpus=data.name,
        confidence=settings().intervals.confidence,
        studies=("geometry",),
        origin=Origin(libraries=library_versions()),
    )


def _represented(
    by_state: dict[str, Encoder], examples: Examples, work: Path
) -> dict[str, Representations]:
    spaces = {}
    for state, encoder in by_state.items():
        folder = work / state
        write_representations(encoder, examples, folder, **settings().represent.model_dump())
        spaces[state] = open_representations(folder, examples)
    return spaces


def _measured(
    spaces: dict[str, Representations],
    examples: Examples,
    work: Path,
    workers: int,
    keys: dict[str, Any],
) -> list[Result]:
    given, table = settings(), example_table(examples)
    intervals = given.intervals.model_dump()
    where = {"cache": work / "cache", "workers": workers, **keys}
    with probe_spaces(spaces, table, **given.classify.model_dump(), **intervals, **where) as found:
        rows, _ = found
    with cluster_spaces(spaces, table, **given.directprobe.model_dump(), **where) as found:
        clustered, tables = found
        tables["distances"].to_parquet(work / DISTANCES, index=False)
    compared = compare_spaces(
        spaces,
        table,
        read_distances(work / DISTANCES),
        rtol=given.directprobe.rtol,
        confidence=given.intervals.confidence,
        **given.similarity.model_dump(),
        **where,
    )
    return rows + clustered + compared
