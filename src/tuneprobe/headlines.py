"""The headline numbers of this checkout's run, as ``tuneprobe show`` prints them.

Each has its unit and its interval; above them stands what they are of. They are read from what
`collect` wrote, metrics/summary.json and metrics/plots/headline.csv, and from params.yaml.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from tuneprobe.artifacts import ArtifactError, read_json
from tuneprobe.paths import PLOTS, SUMMARY

PARAMS = Path("params.yaml")
INTERVALS = PLOTS / "headline.csv"


class Headline(NamedTuple):
    """A number as it is printed: two digits, and its interval if it has one."""

    study: str
    name: str
    value: str
    interval: str
    unit: str


def read_numbers() -> dict[str, float]:
    """The numbers of metrics/summary.json.

    Raises
    ------
    ArtifactError
        If the file is missing, or holds anything but numbers.
    """
    numbers = read_json(SUMMARY)
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ArtifactError(
                f"{SUMMARY}: {name} is {str(number)[:40]!r}, no number: run 'dvc repro'."
            )
    return dict(numbers)


def headlines(numbers: dict[str, float]) -> list[Headline]:
    """The numbers by study, in its order."""
    from tuneprobe.collect.metrics import by_study
    from tuneprobe.page.registry import STUDIES

    bounds = _bounds()
    units = {name: unit for of in STUDIES.values() for name, unit in of.headline_units.items()}
    return [
        Headline(study, name, f"{numbers[name]:.2f}", bounds.get(name, ""), units.get(name, ""))
        for study, names in by_study(numbers).items()
        for name in names
    ]


def _bounds() -> dict[str, str]:
    """Intervals by name, as far as they are here and of these numbers."""
    if not INTERVALS.is_file():
        return {}
    with INTERVALS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("low") and row.get("high")]
    return {row["name"]: f"[{float(row['low']):.2f}, {float(row['high']):.2f}]" for row in rows}


def what_they_are_of() -> str:
    """State, encoder, corpora, seeds and level, in a line; nothing without a params.yaml."""
    from tuneprobe.params import load_params

    if not PARAMS.is_file():
        return ""
    params = load_params()
    asked = [*params.pairwise.tasks, *params.geometry.tasks, *params.attention.tasks]
    corpora = dict.fromkeys(
        params.task(name).path.partition("/")[0]
        + (" (synthetic)" if params.task(name).synthetic else "")
        for name in asked
    )
    seeds = ", ".join(map(str, params.run.seeds))
    return (
        f"state {params.focus} · encoder {params.run.encoders[0]} · corpus {', '.join(corpora)} · "
        f"seed {seeds} · intervals {100 * params.intervals.confidence:g} %"
    )


def as_markdown(found: list[Headline], heading: str) -> str:
    """The numbers as a table of Markdown below what they are of."""
    rows = [
        "| study | number | value | interval | unit |",
        "|---|---|---|---|---|",
        *(
            f"| {one.study} | {one.name} | {one.value} | {one.interval} | {one.unit} |"
            for one in found
        ),
    ]
    return "\n".join([*([heading, ""] if heading else []), *rows])
