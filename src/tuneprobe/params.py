"""The schema of params.yaml, and the only reader of that file.

Strict and frozen: an unknown key, a missing key, a value of another kind (``true`` or ``"2"`` for a
number) or out of range is one clear error. Every size has an upper bound, far above what the papers
use, so that a slip of the keyboard is an error and not an exhausted memory.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from tuneprobe import paths
from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.tasks import Task, Text, get_task
from tuneprobe.yaml_file import YamlFileError, read_yaml

MAX_FAULTS = 10  # said of one file
MAX_SHOWN = 60  # characters of a wrong value

Item = TypeVar("Item")


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Refuse an item that is listed twice: one of its two results would replace the other."""
    twice = [item for number, item in enumerate(items) if item in items[:number]]
    if twice:
        raise ValueError(f"{twice[0]} is listed twice: remove one")
    return items


def _name(name: str) -> str:
    """Refuse what cannot be part of a path, of a stage's name, of a key or of a command."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", name):
        raise ValueError(
            "a name has at most 100 letters, digits, '_' and '-' (no dot: it parts keys in DVC), "
            "and starts with a letter, a digit or '_'"
        )
    return name


PositiveInt = Annotated[int, Field(gt=0, le=10_000_000)]  # of examples, steps, tokens
Size = Annotated[int, Field(gt=0, le=100_000)]  # of what is held in memory at once, or squared
Repeats = Annotated[int, Field(gt=0, le=1_000_000)]  # of a bootstrap or a permutation test
Processes = Annotated[int, Field(gt=0, le=1024)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, le=1e9)]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Confidence = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, AfterValidator(_name)]
Unique = Annotated[tuple[Item, ...], Field(max_length=1000), AfterValidator(_distinct)]
NonEmptyUnique = Annotated[Unique[Item], Field(min_length=1)]
LayerShare = Annotated[Fraction, Field(gt=0, lt=1)]  # 5/12, or 0.5
Names = Unique[Name]


class ParamsError(TuneprobeError):
    """params.yaml holds something that no stage understands."""


class _Block(BaseModel):
    """A block of keys: none unknown, none missing, each of its own kind, and none changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class EncoderSource(_Block):
    """Where an encoder's files are: an installed package, the hub, or a local folder.

    With `sha256`, other weights than those of this hash are refused; with `revision`, the hub is
    read at this commit. With `base`, the name of another entry, these are weights that were tuned
    from that encoder elsewhere: the state ``finetuned`` is theirs, ``pretrained`` the base's. With
    `steps` too, a folder of ``checkpoint-N``, the training itself is followed.
    """

    package: Text | None = None
    folder: Text | None = None
    hub: Text | None = None
    revision: Commit | None = None
    path: Text | None = None
    sha256: Sha256 | None = None
    base: Name | None = None
    steps: Text | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "EncoderSource":
        given = [source for source in (self.package, self.hub, self.path) if source]
        if len(given) != 1 or (self.folder and not self.package):
            raise ValueError("give one of package (with folder), hub and path")
        if self.revision and not self.hub:
            raise ValueError("a revision is a commit of the hub: give it with hub")
        if self.steps and not self.base:
            raise ValueError("steps lead from a base: give it too")
        return self


class Intervals(_Block):
    """Level and samples of the intervals of every study."""

    confidence: Confidence
    bootstrap: Repeats


class Annotator(_Block):
    """The spaCy model that annotates words; another one is refused."""

    package: Name
    sha256: Sha256


class Synonyms(_Block):
    """Which words count as synonyms."""

    same_pos: bool
    all_pairs: bool


class Abbreviation(_Block):
    """Which words count as the initials of others."""

    capitals: Literal["none", "paragraph"]
    window: Literal["first", "last"]
    final_window: bool
    min_letters: PositiveInt
    question_stop_words: bool
    edge_stop_words: bool


class Coreference(_Block):
    """What an entity is, and which of its mentions is the anchor."""

    anchor: Literal["question", "paragraph"]
    entities: NonEmptyUnique[Literal["named", "quoted", "shared"]]


class BoundarySize(_Block):
    """Questions of the boundary probe."""

    train: PositiveInt
    test: PositiveInt


class Pairs(_Block):
    """How the pairs of the five probes are found."""

    per_probe: PositiveInt
    max_words: PositiveInt
    synonyms: Synonyms
    abbreviation: Abbreviation
    coreference: Coreference
    boundary: BoundarySize


class Labels(_Block):
    """Which labelled sentences are taken, and how a pair of words is written."""

    train: PositiveInt | None
    test: PositiveInt | None
    max_words: PositiveInt
    pair_order: Literal["dependent-head", "head-dependent"]


class Texts(_Block):
    """Which texts of a sentence task are taken."""

    train: PositiveInt | None
    test: PositiveInt | None
    max_words: PositiveInt


class Frames(_Block):
    """Which FrameNet sentences are taken."""

    max_words: PositiveInt
    max_element: PositiveInt
    min_distance: PositiveInt


class Prepare(_Block):
    """Construction of examples."""

    pairs: Pairs
    labels: Labels
    texts: Texts
    frames: Frames


class LoraBlock(_Block):
    """Low-rank updates: ``W + (alpha / rank) · B A`` of the linear layers called `targets`."""

    rank: Size
    alpha: Size
    targets: Unique[Text]
    learning_rate: Positive


class BitFitBlock(_Block):
    """Training of the biases alone."""

    learning_rate: Positive


class Tuning(_Block):
    """Fine-tuning of an encoder under a head, or of the head alone."""

    way: Literal["full", "lora", "bitfit"]
    lora: LoraBlock
    bitfit: BitFitBlock

    epochs: Size
    head_epochs: Size
    batch: Size
    learning_rate: Positive
    head_learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0, le=1e9)]
    warmup: Share
    clip: Positive
    attention_dropout: bool
    precision: Literal["float32", "bfloat16"]
    resume_every: PositiveInt


class Finetune(Tuning):
    """Fine-tuning to read: windows of long documents."""

    max_questions: PositiveInt | None
    window: Annotated[int, Field(ge=16, le=100_000)]
    stride: Size
    max_question: Size
    null_keep: Share


class Evaluate(_Block):
    """Decoding and scoring of answers."""

    max_questions: PositiveInt | None
    top_k: Size
    max_answer: Size
    min_annotators: Size


class Represent(_Block):
    """Encoding of texts."""

    layout: Literal["pair", "plain"]
    tokens_per_batch: PositiveInt | None
    precision: Literal["float32", "bfloat16"]


class BoundaryHead(_Block):
    """The linear start/end head of boundary reading A."""

    l2: Positive
    iterations: Size


class Pairwise(_Block):
    """The pairwise probe and its statistics."""

    tasks: Names
    similarities: NonEmptyUnique[Literal["cosine", "euclidean"]]
    negatives: NonEmptyUnique[Literal["words", "length-matched"]]
    views: NonEmptyUnique[Literal["raw", "centred", "without-axis"]]
    foreign_anchors: PositiveInt
    type_anchors: PositiveInt
    layer_mark: LayerShare
    permutations: Repeats
    equivalence_margin: Positive
    boundary: BoundaryHead


Layers = Literal["all", "last", "none"]
States = NonEmptyUnique[Literal["random", "pretrained", "finetuned"]]


class RegimenBlock(_Block):
    """Training of the classifier probes."""

    learning_rate: Positive
    batch: Size
    max_epochs: Size
    patience: Size
    race: Unique[PositiveInt]


class Classify(_Block):
    """The classifier probe: its grid, its starts, its controls."""

    hidden: NonEmptyUnique[Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)]]
    decays: NonEmptyUnique[Positive]
    initialisations: Size
    standardise: bool
    linear: bool
    controls: Layers
    codelength: Layers
    orders: PositiveInt
    regimen: RegimenBlock
    device: Literal["cpu", "cuda"]


class DirectProbe(_Block):
    """Label clusters and the distances of their hulls."""

    loop: Literal["exhaustive", "paper"]
    min_cluster_size: PositiveInt
    max_clusters: Size
    nearest: Layers
    max_nearest: PositiveInt
    rtol: Positive
    directprobe_files: bool


class Similarity(_Block):
    """How alike two spaces are."""

    zero_fill: bool
    max_examples: Size
    neighbours: PositiveInt
    layer_states: States
    splits: Size
    split_layers: Layers


class Dynamics(_Block):
    """What is followed over the steps of a fine-tuning, of which tasks."""

    tasks: Names
    most: Size
    path_labels: Unique[Text]


class Cross(_Block):
    """Tasks that are probed, each under the encoders tuned on every one of others."""

    tasks: Names
    tuned_on: Names


class Geometry(_Block):
    """The geometry study."""

    tasks: Names
    finetune: Tuning
    snapshot_every: PositiveInt
    classify: Classify
    directprobe: DirectProbe
    similarity: Similarity
    dynamics: Dynamics
    cross: Cross


class ExampleMaps(_Block):
    """Maps stored for figures."""

    count: Size
    max_pieces: Size


class Maps(_Block):
    """What is read off attention maps, and how it becomes numbers."""

    states: States
    before: Literal["random", "pretrained"]
    max_texts: PositiveInt
    max_pieces: Size
    rows: Literal["mean", "max"]
    tokens: Literal["max", "mean", "sum"]
    padded_to: Annotated[int, Field(ge=0, le=100_000)]
    tokens_per_batch: PositiveInt | None
    example_maps: ExampleMaps
    sheet: Size
    labelled: Text | None

    @field_validator("before")
    @classmethod
    def _one_of_the_states(cls, before: str, others: ValidationInfo) -> str:
        states = others.data.get("states", [before])
        if before not in states:
            raise ValueError(f"expected one of the states {', '.join(states)}")
        return before


class PatternNetwork(_Block):
    """Training of the pattern network on drawn maps."""

    maps: Size
    epochs: Size
    learning_rate: Positive
    held_out: Size


class Ablate(_Block):
    """What an ablated head is replaced by, and on how many texts it is scored."""

    ablations: NonEmptyUnique[Literal["uniform", "zero", "mean"]]
    max_texts: PositiveInt
    tokens_per_chunk: PositiveInt | None


class Linked(_Block):
    """A task whose pairs of words heads may link, and the task that the encoder was tuned on."""

    task: Name
    tuned_on: Name


class PairHeads(_Block):
    """Heads that link annotated words."""

    tasks: Unique[Linked]
    states: States
    pairing: Literal["all", "zip"]
    tokens_per_batch: PositiveInt | None


class Attention(_Block):
    """The attention study."""

    tasks: Names
    finetune: Tuning
    frames: Names
    maps: Maps
    patterns: PatternNetwork
    ablate: Ablate
    pair_heads: PairHeads


class Weights(_Block):
    """Which directions of a tuned matrix count as new."""

    directions: Size
    cosine: Share


class Erase(_Block):
    """Tasks whose label is erased, and how many times random directions are in its place."""

    tasks: Names
    draws: Size


class Line(_Block):
    """Where on the line between two models the task is scored; the ends are anyway.

    Attributes
    ----------
    shares : tuple of float
        Of the way from the pre-trained weights, 0, to the tuned ones, 1.
    """

    shares: Unique[Annotated[float, Field(gt=0, le=2)]]

    @field_validator("shares")
    @classmethod
    def _no_end(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if 1 in shares or len({round(100 * share) for share in shares}) < len(shares):
            raise ValueError("expected shares of whole percent, each once, and not 1: it is an end")
        return shares


class Steps(_Block):
    """Tasks whose layers are put back while they are tuned, and after how many updates."""

    tasks: Names
    steps: NonEmptyUnique[PositiveInt]


class Patch(_Block):
    """Of how many pairs words get the state of the other model, and in which layers."""

    per_probe: Size
    every: Size


class Change(_Block):
    """The study of what tuning changed, and whether it matters."""

    tasks: Names
    seeds: Unique[Seed] = ()  # as of runs that were recorded before there was this, and dynamics
    max_texts: PositiveInt
    max_questions: PositiveInt
    max_vectors: Size
    neighbours: Size
    axes: Size
    weights: Weights
    erase: Erase
    path: Line
    dynamics: Steps = Steps(tasks=(), steps=(1,))
    patch: Patch
    tokens_per_batch: PositiveInt | None


class Run(_Block):
    """The axes of a run: each is a list, and each of its entries a chain of stages.

    Attributes
    ----------
    encoders : tuple of str
        Names under `encoders`.
    seeds : tuple of int
        Of tuning. Each has probes of its own, trained under it.
    draws : tuple of int
        Of random weights; measured beside the first seed, all of them by the probes of pairs, the
        first by the other studies.
    """

    encoders: NonEmptyUnique[Name]
    seeds: NonEmptyUnique[Seed]
    draws: Annotated[tuple[Seed, ...], Field(min_length=1)]

    @field_validator("encoders", "seeds", "draws")
    @classmethod
    def _once_each(cls, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(entries)) < len(entries):
            raise ValueError("expected each entry once")
        return entries

    def draws_beside(self, seed: int) -> tuple[int, ...]:
        """The draws of random weights that the pairs are probed in: all with the first seed."""
        return self.draws if seed == self.seeds[0] else ()

    def first_draw_beside(self, seed: int) -> tuple[int, ...]:
        """The one draw that is measured where a draw costs more: with the first seed."""
        return self.draws_beside(seed)[:1]


class Params(_Block):
    """Everything that params.yaml says."""

    focus: Literal["random", "pretrained", "finetuned"]
    run: Run
    sampling_seed: Seed
    threads: Processes
    linear: Literal["stock", "onednn", "measured"]
    encoders: Annotated[dict[Name, EncoderSource], Field(min_length=1, max_length=1000)]
    annotator: Annotator
    intervals: Intervals
    tasks: Annotated[dict[Name, Task], Field(max_length=10_000)]
    prepare: Prepare
    finetune: Finetune
    evaluate: Evaluate
    represent: Represent
    pairwise: Pairwise
    geometry: Geometry
    attention: Attention
    change: Change

    def tuning(self, study: str) -> Tuning:
        """How a study tunes on labelled texts."""
        blocks = {"geometry": self.geometry.finetune, "attention": self.attention.finetune}
        if study not in blocks:
            raise UnknownNameError("study that tunes on labels", study, blocks)
        return blocks[study]

    def encoder_source(self, encoder: str) -> dict[str, Any]:
        """Where the files of an encoder are, as keyword arguments of `load_encoder`.

        Of an encoder that was tuned elsewhere: those of its base.
        """
        if encoder not in self.encoders:
            raise UnknownNameError("encoder", encoder, self.encoders)
        return self._files(self.encoders[encoder].base or encoder)

    def encoder_settings(self, encoder: str) -> dict[str, Any]:
        """`encoder_source`, and how the encoder multiplies."""
        return self.encoder_source(encoder) | {"linear": self.linear}

    def tuned_elsewhere(self, encoder: str) -> dict[str, Any] | None:
        """Where the weights are that an encoder was given elsewhere; None if it has no base."""
        return self._files(encoder) if self.encoders[encoder].base else None

    def followed_elsewhere(self, encoder: str) -> Path | None:
        """The folder of the checkpoints along a training elsewhere; None if it is not given."""
        steps = self.encoders[encoder].steps
        return Path(steps) if steps else None

    def _files(self, encoder: str) -> dict[str, Any]:
        return self.encoders[encoder].model_dump(exclude={"base", "steps"})

    def task(self, name: str) -> Task:
        """The entry of a task."""
        return get_task(name, self.tasks)


TASK_LISTS = {  # list of tasks: the kinds that its study can use
    "pairwise.tasks": ("reading",),
    "geometry.tasks": ("label",),
    "attention.tasks": ("label", "score"),
    "attention.frames": ("heads",),
}


def check_names(params: Params) -> None:
    """Refuse a run that names an encoder or a task which there is not, or which nothing makes.

    Raises
    ------
    ParamsError
        With one sentence for each such name.
    """
    made = {key: _list(params, key) for key in TASK_LISTS}
    problems = [_unknown("run.encoders", name, params.encoders) for name in params.run.encoders]
    for key, names in made.items():
        problems += [_unfit(params, key, name, TASK_LISTS[key]) for name in names]
    labelled = made["geometry.tasks"]
    tuned = labelled + made["attention.tasks"]
    linked, restored = params.attention.pair_heads.tasks, params.change.dynamics.tasks
    readers = tuple(paths.questions(name) for name in made["pairwise.tasks"])
    for key, names, among, where in (
        ("geometry.dynamics.tasks", params.geometry.dynamics.tasks, labelled, "geometry.tasks"),
        ("geometry.cross.tasks", params.geometry.cross.tasks, labelled, "geometry.tasks"),
        ("geometry.cross.tuned_on", params.geometry.cross.tuned_on, tuned, "a study's tasks"),
        (
            "attention.pair_heads.tasks",
            tuple(one.task for one in linked),
            labelled + made["attention.frames"],
            "geometry.tasks or attention.frames",
        ),
        ("attention.pair_heads.tasks", tuple(one.tuned_on for one in linked), tuned, "the tasks"),
        (
            "change.tasks",
            params.change.tasks,
            tuned + readers,
            "a study's tasks (a reader: NAME-qa)",
        ),
        ("change.erase.tasks", params.change.erase.tasks, params.change.tasks, "change.tasks"),
        ("change.erase.tasks", params.change.erase.tasks, labelled, "geometry.tasks"),
        ("change.dynamics.tasks", restored, params.change.tasks, "change.tasks"),
        ("change.dynamics.tasks", restored, labelled, "geometry.tasks"),
        (
            "change.seeds",
            tuple(map(str, params.change.seeds)),
            tuple(map(str, params.run.seeds[1:])),
            "run.seeds after its first",
        ),
    ):
        problems += [_not_made(key, name, among, where) for name in names]
    problems += _twice(params, made)
    if bool(params.geometry.cross.tasks) != bool(params.geometry.cross.tuned_on):
        problems.append("geometry.cross needs both tasks and tuned_on, or neither.")
    problems += _tuned_elsewhere(params)
    found = [problem for problem in dict.fromkeys(problems) if problem]
    if found:
        raise ParamsError("\n".join(f"params.yaml: {problem}" for problem in found))


def _tuned_elsewhere(params: Params) -> Iterator[str]:
    """What cannot be asked of weights that were tuned elsewhere."""
    for name, entry in params.encoders.items():
        if entry.base:
            yield _unknown(f"encoders.{name}.base", entry.base, params.encoders)
        if entry.base in params.encoders and params.encoders[entry.base].base:
            yield f"encoders.{name}.base: '{entry.base}' has a base itself: name that one."
    elsewhere = [
        name for name in params.run.encoders if getattr(params.encoders.get(name), "base", None)
    ]
    without = [name for name in elsewhere if not params.encoders[name].steps]
    followed = {
        "geometry.dynamics.tasks": params.geometry.dynamics.tasks if without else (),
        "geometry.cross.tasks": params.geometry.cross.tasks,
        "geometry.cross.tuned_on": params.geometry.cross.tuned_on,
        "change.dynamics.tasks": params.change.dynamics.tasks,
    }
    keys = [key for key, tasks in followed.items() if tasks]
    if elsewhere and keys:
        settings = " ".join(f"-S {key}=[]" for key in keys)
        name = (without or elsewhere)[0]
        yield (
            f"run.encoders: '{name}' was tuned elsewhere, once: there are no steps to follow "
            f"(unless encoders.{name}.steps names their folder, for geometry) and no other tasks "
            f"to tune it on, which {', '.join(keys)} ask for: {settings}."
        )


def _list(params: Params, key: str) -> tuple[str, ...]:
    study, name = key.split(".")
    return tuple(getattr(getattr(params, study), name))


def _unknown(key: str, name: str, known: Iterable[str]) -> str:
    """A sentence, or nothing where the name is known."""
    return "" if name in set(known) else f"{key}: {UnknownNameError('name', name, known)}"


def _unfit(params: Params, key: str, name: str, kinds: tuple[str, ...]) -> str:
    if name not in params.tasks or params.tasks[name].kind in kinds:
        return _unknown(key, name, params.tasks)
    return (
        f"{key}: '{name}' is of the kind {params.tasks[name].kind}, expected {' or '.join(kinds)}."
    )


def _not_made(key: str, name: str, among: Sequence[str], where: str) -> str:
    if name in among:
        return ""
    return f"{key} names '{name}', which is not in {where}: add it there, or take it out here."


def _twice(params: Params, made: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Tasks that two stages would make; a reading task makes its questions and its pairs."""
    examples = [name for key, names in made.items() if key != "pairwise.tasks" for name in names]
    parts = (paths.questions, paths.pairs)
    examples += [part(name) for name in made["pairwise.tasks"] for part in parts]
    again = {
        "geometry.dynamics.tasks": params.geometry.dynamics.tasks,
        "geometry.cross.tasks": params.geometry.cross.tasks,
        "geometry.cross.tuned_on": params.geometry.cross.tuned_on,
        "attention.pair_heads.tasks": [one.task for one in params.attention.pair_heads.tasks],
    }
    return [
        f"{key} names '{name}' twice: give the second its own entry in tasks, or remove it."
        for key, names in {"the lists of tasks": examples, **again}.items()
        for name, times in Counter(names).items()
        if times > 1
    ]


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises
    ------
    ParamsError
        One line for each fault, at most `MAX_FAULTS`.
    """
    if not path.exists():
        raise ParamsError(f"{path} is missing: run the stage from the top of the repository.")
    try:  # as JSON, in which strict lists are tuples
        params = Params.model_validate_json(json.dumps(read_yaml(path)))
    except YamlFileError as error:
        raise ParamsError(str(error)) from error
    except ValidationError as error:
        faults = [_sentence(path, fault) for fault in error.errors()]
        more = len(faults) - MAX_FAULTS
        rest = [f"{path}: {more} more values are wrong."] if more > 0 else []
        raise ParamsError("\n".join(faults[:MAX_FAULTS] + rest)) from error
    check_names(params)
    return params


def _sentence(path: Path, fault: ErrorDetails) -> str:
    key = ".".join(map(str, fault["loc"]))
    key = _cut(key if key.isprintable() else repr(key))
    if fault["type"] == "extra_forbidden":
        return f"{path}: no stage knows the key '{key}'; remove it or correct its name."
    if fault["type"] == "missing":
        return f"{path}: the key '{key}' is missing."
    said = fault["msg"].removeprefix("Value error, ")
    return f"{path}: {key} is {_cut(repr(fault['input']))}; {said[:1].lower()}{said[1:]}."


def _cut(shown: str) -> str:
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."
