"""Settings of the papers, and which of them a run leaves."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tuneprobe.page.blocks import Table
from tuneprobe.page.registry import STUDIES

BERT_BASE = "bert-base"
ALL = None  # no limit
EVERY_PAPER = "Cai et al., Kovaleva et al.; Zhou & Srikumar: five sizes"


class PaperSetting(NamedTuple):
    """What a paper, or the code of its authors, used."""

    name: str
    value: Any
    paper: str


def paper_settings(encoder: str) -> Iterator[PaperSetting]:
    """The settings of all papers, as they had them for an encoder."""
    yield PaperSetting("run.encoders", [BERT_BASE], EVERY_PAPER)
    for study in STUDIES.values():
        paper, said = study.paper.rpartition(" ")[0], study.published
        others = said.get("settings_on_base", {}) if encoder == BERT_BASE else {}
        for name, value in {**said.get("settings", {}), **others}.items():
            code = ", their code" if name in said.get("settings_of_code", ()) else ""
            yield PaperSetting(name, value, paper + code)


def deviations(params: Mapping[str, Any]) -> Table:
    """The settings in which a run leaves a paper: ours, the paper's, and whose it is.

    Parameters
    ----------
    params : mapping
        Nested as params.yaml; a setting that it lacks is not compared.
    """
    shown = next(iter(params.get("run", {}).get("encoders", ())), "")
    rows = [
        [name, _written(ours), _written(theirs), paper]
        for name, theirs, paper in paper_settings(shown)
        for ours in _find(params, name.split("."))
        if _plain(ours) != theirs
    ]
    return Table(["setting", "this run", "paper", "of"], rows, n_names=4)


def _find(params: Any, path: list[str]) -> Iterator[Any]:
    for name in path:
        if not isinstance(params, Mapping) or name not in params:
            return
        params = params[name]
    yield params


def _plain(value: Any) -> Any:
    """A value with lists for tuples, as YAML and pydantic differ in them."""
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _written(value: Any, depth: int = 0) -> str:
    """A setting in a cell.

    >>> _written([[32, 64], [32, 128]]), _written([0.1, 1.0]), _written(None), _written([])
    ('32×64, 32×128', '0.1, 1', 'all', 'none')
    """
    if isinstance(value, list | tuple):
        inner = "×" if all(isinstance(one, int) for one in value) and depth else ", "
        return inner.join(_written(one, depth + 1) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "all" if value is ALL else str(value)
