"""Settings of the papers, and which of them a run leaves."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tuneprobe.page.blocks import Table

BERT_BASE = "bert-base"
ALL = None  # no limit
CAI, ZHOU, KOVALEVA = "Cai et al.", "Zhou & Srikumar", "Kovaleva et al."
CAI_CODE, KOVALEVA_CODE = f"{CAI}, their code", f"{KOVALEVA}, their code"
EVERY_PAPER = f"{CAI}, {KOVALEVA}; {ZHOU}: five sizes"
SIZES = [[first, second] for first in (32, 64, 128, 256) for second in (32, 64, 128, 256)]
DECAYS = [10.0**power for power in range(-7, 1)]

ENGLISH = [f"english-{name}" for name in ("pos", "dep", "ps-role", "ps-fxn", "trec-50")]


class PaperSetting(NamedTuple):
    """What a paper, or the code of its authors, used; ``on_base`` where BERT-base had another."""

    name: str
    value: Any
    paper: str
    on_base: Any = None


PAPER_SETTINGS = (
    PaperSetting("run.encoders", [BERT_BASE], EVERY_PAPER),
    PaperSetting("pairwise.tasks", ["natural-questions"], CAI),
    PaperSetting("prepare.pairs.boundary.train", 10_000, CAI),
    PaperSetting("prepare.pairs.boundary.test", 5_000, CAI),
    PaperSetting("finetune.learning_rate", 4e-5, CAI_CODE),
    PaperSetting("finetune.batch", 64, CAI_CODE),
    PaperSetting("finetune.epochs", 2, CAI_CODE),
    PaperSetting("finetune.window", 512, CAI_CODE),
    PaperSetting("finetune.stride", 128, CAI_CODE),
    PaperSetting("finetune.attention_dropout", True, CAI),
    PaperSetting("geometry.tasks", ENGLISH, ZHOU),
    PaperSetting("prepare.labels.train", ALL, ZHOU),
    PaperSetting("prepare.labels.test", ALL, ZHOU),
    PaperSetting("geometry.finetune.epochs", 10, ZHOU, on_base=3),
    PaperSetting("geometry.finetune.batch", 32, ZHOU),
    PaperSetting("geometry.finetune.learning_rate", 3e-4, ZHOU),
    PaperSetting("geometry.finetune.warmup", 0.1, ZHOU),
    PaperSetting("geometry.finetune.attention_dropout", True, ZHOU),
    PaperSetting("geometry.snapshot_every", 5, ZHOU),
    PaperSetting("geometry.classify.hidden", SIZES, ZHOU),
    PaperSetting("geometry.classify.decays", DECAYS, ZHOU),
    PaperSetting("geometry.classify.initialisations", 5, ZHOU),
    PaperSetting("geometry.classify.regimen.learning_rate", 1e-3, ZHOU),
    PaperSetting("geometry.classify.regimen.batch", 200, ZHOU),
    PaperSetting("geometry.classify.regimen.max_epochs", 1000, ZHOU),
    PaperSetting("geometry.classify.regimen.patience", 10, ZHOU),
    PaperSetting("geometry.classify.regimen.race", [], ZHOU),
    PaperSetting("prepare.texts.train", ALL, KOVALEVA),
    PaperSetting("prepare.texts.test", ALL, KOVALEVA),
    PaperSetting("attention.finetune.epochs", 3, KOVALEVA),
    PaperSetting("attention.finetune.batch", 32, KOVALEVA),
    PaperSetting("attention.finetune.learning_rate", 5e-5, KOVALEVA_CODE),
    PaperSetting("attention.finetune.attention_dropout", True, KOVALEVA),
    PaperSetting("attention.maps.max_texts", 1000, KOVALEVA),
    PaperSetting("attention.ablate.max_texts", ALL, KOVALEVA),
)


def deviations(params: Mapping[str, Any]) -> Table:
    """The settings in which a run leaves a paper: ours, the paper's, and whose it is.

    Parameters
    ----------
    params : mapping
        Nested as params.yaml; a setting that it lacks is not compared.
    """
    rows, shown = [], next(iter(params.get("run", {}).get("encoders", ())), "")
    for setting in PAPER_SETTINGS:
        on_base = shown == BERT_BASE and setting.on_base is not None
        theirs = setting.on_base if on_base else setting.value
        for ours in _find(params, setting.name.split(".")):
            if _plain(ours) != _plain(theirs):
                rows.append([setting.name, _written(ours), _written(theirs), setting.paper])
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
