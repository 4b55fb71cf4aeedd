"""How the page writes numbers, lists and layers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from tuneprobe.paths import reading_task

MISSING = "–"
SPELLED = {
    "pos": "POS",
    "dep": "DEP",
    "ps-role": "PS-role",
    "ps-fxn": "PS-fxn",
    "trec-50": "TREC-50",
    "mrpc": "MRPC",
    "stsb": "STS-B",
    "sst2": "SST-2",
    "qqp": "QQP",
    "rte": "RTE",
    "qnli": "QNLI",
    "mnli": "MNLI",
    "mnli-mismatched": "MNLI (mismatched)",
    "sick": "SICK",
    "framenet-1.5": "FrameNet 1.5",
    "framenet-1.7": "FrameNet 1.7",
}
LABELLED = tuple(SPELLED)[:5]  # of words and questions: called without their corpus


def number(value: float, digits: int = 1) -> str:
    """A number, or a dash where there is none.

    >>> number(61.04), number(-0.127, 2), number(float("nan"))
    ('61.0', '−0.13', '–')
    """
    return f"{value:.{digits}f}".replace("-", "−") if isfinite(value) else MISSING


def signed(value: float, digits: int = 1) -> str:
    """With its sign, and no sign for what rounds to zero.

    >>> signed(3.04), signed(-0.5), signed(0.01)
    ('+3.0', '−0.5', '0.0')
    """
    if not isfinite(value):
        return MISSING
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def bounded(value: float, low: float, high: float, *, sign: bool = False, digits: int = 1) -> str:
    """A number with its interval.

    >>> bounded(61.04, 58, 63.96)
    '61.0 [58.0, 64.0]'
    """
    if not isfinite(value):
        return MISSING
    write = signed if sign else number
    if not (isfinite(low) and isfinite(high)):
        return write(value, digits)
    return f"{write(value, digits)} [{write(low, digits)}, {write(high, digits)}]"


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The smallest and the largest of some numbers.

    >>> spread([49.96, 50.0]), spread([52, 48])
    ('50.0', '48.0 to 52.0')
    """
    ends = dict.fromkeys([number(min(values), digits), number(max(values), digits)])
    return " to ".join(ends)


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def layer_ranges(layers: Sequence[int]) -> str:
    """Layers with runs joined.

    >>> layer_ranges([1, 3, 4, 5])
    '1, 3–5'
    """
    runs: list[list[int]] = []
    for layer in sorted(layers):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def unbroken(text: str) -> str:
    """A text whose numbers keep their unit, and names of layers and heads theirs, on one line.

    >>> unbroken("45 % of 2, κ 0.41").split(" ")
    ['45\\xa0%', 'of', '2,', 'κ\\xa00.41']
    """
    return re.sub(
        r"(?<=\d) (?=%)|(?<=[κρ]) (?=[\d−])|(?<=layer|.head) (?=\d)", "\N{NO-BREAK SPACE}", text
    )


def plain(name: str) -> str:
    """A name in running text; proper names, and what was pre-trained, keep their hyphens.

    >>> plain("answer-type"), plain("top_k"), plain("world SST-2"), plain("PS-role")
    ('answer type', 'top k', 'world SST-2', 'PS-role')
    >>> plain("over pre-trained")
    'over pre-trained'
    """
    return re.sub(r"(?<=[a-z])(?<!\bpre)[-_]|(?<![A-Z])(?<!\bpre)[-_](?=[a-z])", " ", name)


def score_label(metric: str) -> str:
    """A score in running text.

    >>> score_label("short_f1"), score_label("exact_match")
    ('short F1', 'exact match')
    """
    return metric.replace("_", " ").replace("f1", "F1")


def task_label(task: str) -> str:
    """The name of a task as the papers spell it.

    >>> task_label("world-qa"), task_label("ewt-ps-role"), task_label("world-rte")
    ('reading world', 'PS-role', 'world RTE')
    >>> task_label("framenet-1.5"), task_label("my-task")
    ('FrameNet 1.5', 'my task')
    """
    if read := reading_task(task):
        return f"reading {task_label(read)}"
    key = next((one for one in SPELLED if task == one or task.endswith(f"-{one}")), "")
    corpus = "" if not key or key in LABELLED else task.removesuffix(key).replace("-", " ")
    return f"{corpus}{SPELLED[key]}" if key else task.replace("-", " ")


def baseline_label(name: str) -> str:
    """A baseline in running text.

    >>> baseline_label("random"), baseline_label("word-overlap"), baseline_label("pre-trained")
    ('random weights', 'word overlap', 'pre-trained')
    """
    own = {"random": "random weights", "random-answer": "random answers", "pre-trained": name}
    return own.get(name, plain(name))


def flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested parameters as dotted names and texts; a list is one text.

    >>> dict(flat({"finetune": {"epochs": 2, "rates": [1, 2]}}))
    {'finetune.epochs': '2', 'finetune.rates': '1, 2'}
    """
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            several = isinstance(value, list | tuple)
            yield f"{prefix}{key}", ", ".join(map(str, value)) if several else str(value)
