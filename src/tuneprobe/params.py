"""The schema of params.yaml, and the only reader of that file.

Strict and frozen: an unknown key, a missing key or a value out of range is one clear error.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from tuneprobe.errors import TuneprobeError, UnknownNameError
from tuneprobe.tasks import Task, get_task

PositiveInt = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]  # in paths and keys
Names = tuple[str, ...]


class ParamsError(TuneprobeError):
    """params.yaml holds something that no stage understands."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderSource(_Block):
    """Where an encoder's files are: an installed package, the hub, or a local folder."""

    package: str | None = None
    folder: str | None = None
    hub: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "EncoderSource":
        if not (self.package or self.hub or self.path):
            raise ValueError("give package (with folder), hub or path")
        return self


class Synonyms(_Block):
    """Which words count as synonyms."""

    same_pos: bool
    all_pairs: bool


class Abbreviation(_Block):
    """Which words count as the initials of others."""

    case_sensitive: bool
    window: Literal["first", "last"]
    final_window: bool
    min_letters: PositiveInt
    stop_words: bool


class Coreference(_Block):
    """What an entity is, and which of its mentions is the anchor."""

    anchor: Literal["question", "paragraph"]
    entities: tuple[Literal["named", "quoted", "shared"], ...]


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
    pair_order: Literal["dependent-head", "head-dependent"]


class Texts(_Block):
    """Which texts of a sentence task are taken."""

    train: PositiveInt | None
    test: PositiveInt | None


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


class Tuning(_Block):
    """Fine-tuning of an encoder under a head, or of the head alone."""

    epochs: PositiveInt
    batch: PositiveInt
    learning_rate: Positive
    head_learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    warmup: Share
    clip: Positive
    attention_dropout: bool
    precision: Literal["float32", "bfloat16"]
    resume_every: PositiveInt


class Finetune(Tuning):
    """Fine-tuning to read: windows of long documents."""

    window: Annotated[int, Field(ge=16)]
    stride: PositiveInt
    max_question: PositiveInt
    null_keep: Share


class Evaluate(_Block):
    """Decoding and scoring of answers."""

    top_k: PositiveInt
    max_answer: PositiveInt
    min_annotators: PositiveInt


class Represent(_Block):
    """Encoding of texts."""

    layout: Literal["pair", "plain"]
    tokens_per_batch: PositiveInt | None
    precision: Literal["float32", "bfloat16"]
    linear: Literal["stock", "onednn", "measured"]


class BoundaryHead(_Block):
    """The linear start/end head of boundary reading A."""

    l2: Positive
    iterations: PositiveInt


class Pairwise(_Block):
    """The pairwise probe and its statistics."""

    tasks: Names
    similarities: tuple[Literal["cosine", "euclidean"], ...]
    negatives: tuple[Literal["words", "length-matched"], ...]
    centred: tuple[bool, ...]
    layer_mark: Share
    confidence: Annotated[float, Field(gt=0, lt=1)]
    bootstrap: PositiveInt
    permutations: PositiveInt
    equivalence_margin: Positive
    boundary: BoundaryHead


Layers = Literal["all", "last", "none"]
Confidence = Annotated[float, Field(gt=0, lt=1)]
States = tuple[Literal["random", "pretrained", "finetuned"], ...]


class RegimenBlock(_Block):
    """Training of the classifier probes."""

    learning_rate: Positive
    batch: PositiveInt
    max_epochs: PositiveInt
    patience: PositiveInt
    race: tuple[PositiveInt, ...]


class Classify(_Block):
    """The classifier probe: its grid, its starts, its controls."""

    hidden: tuple[tuple[PositiveInt, ...], ...]
    decays: tuple[Positive, ...]
    initialisations: PositiveInt
    standardise: bool
    linear: bool
    controls: Layers
    codelength: Layers
    regimen: RegimenBlock
    device: Literal["cpu", "cuda"]
    confidence: Confidence


class DirectProbe(_Block):
    """Label clusters and the distances of their hulls."""

    loop: Literal["exhaustive", "paper"]
    min_cluster_size: PositiveInt
    max_clusters: PositiveInt
    nearest: Layers
    max_nearest: PositiveInt
    rtol: Positive
    directprobe_files: bool


class Similarity(_Block):
    """How alike two spaces are."""

    zero_fill: bool
    max_examples: PositiveInt
    layer_states: States


class Dynamics(_Block):
    """What is followed over the steps of a fine-tuning, of which tasks."""

    tasks: Names
    most: PositiveInt
    path_labels: tuple[str, ...]


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

    count: PositiveInt
    max_pieces: PositiveInt


class Maps(_Block):
    """What is read off attention maps, and how it becomes numbers."""

    states: States
    before: Literal["random", "pretrained"]
    max_texts: PositiveInt
    max_pieces: PositiveInt
    rows: Literal["mean", "max"]
    tokens: Literal["max", "mean", "sum"]
    padded_to: Annotated[int, Field(ge=0)]
    tokens_per_batch: PositiveInt | None
    confidence: Confidence
    bootstrap: PositiveInt
    example_maps: ExampleMaps
    sheet: PositiveInt
    labelled: str | None

    @field_validator("before")
    @classmethod
    def _one_of_the_states(cls, before: str, others: ValidationInfo) -> str:
        states = others.data.get("states", [before])
        if before not in states:
            raise ValueError(f"expected one of the states {', '.join(states)}")
        return before


class PatternNetwork(_Block):
    """Training of the pattern network on drawn maps."""

    maps: PositiveInt
    epochs: PositiveInt
    learning_rate: Positive
    held_out: PositiveInt


class Ablate(_Block):
    """What an ablated head is replaced by, and on how many texts it is scored."""

    ablations: tuple[Literal["uniform", "zero", "mean"], ...]
    max_texts: PositiveInt
    tokens_per_chunk: PositiveInt | None
    confidence: Confidence
    bootstrap: PositiveInt


class Linked(_Block):
    """A task whose pairs of words heads may link, and the task that the encoder was tuned on."""

    task: str
    tuned_on: str


class PairHeads(_Block):
    """Heads that link annotated words."""

    tasks: tuple[Linked, ...]
    states: States
    pairing: Literal["all", "zip"]
    tokens_per_batch: PositiveInt | None
    confidence: Confidence
    bootstrap: PositiveInt


class Attention(_Block):
    """The attention study."""

    tasks: Names
    finetune: Tuning
    frames: Names
    maps: Maps
    patterns: PatternNetwork
    ablate: Ablate
    pair_heads: PairHeads


class Run(_Block):
    """The axes of a run: each is a list, and each of its entries a chain of stages.

    Attributes
    ----------
    encoders : tuple of str
        Names under `encoders`.
    seeds : tuple of int
        Of tuning. Each has probes of its own, trained under it.
    draws : tuple of int
        Of random weights; measured beside the first seed.
    """

    encoders: Annotated[tuple[str, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    draws: Annotated[tuple[Seed, ...], Field(min_length=1)]

    @field_validator("encoders", "seeds", "draws")
    @classmethod
    def _once_each(cls, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(entries)) < len(entries):
            raise ValueError("expected each entry once")
        return entries

    def draws_beside(self, seed: int) -> tuple[int, ...]:
        """The draws of random weights that are measured with this seed: all with the first."""
        return self.draws if seed == self.seeds[0] else ()


class Params(_Block):
    """Everything that params.yaml says."""

    focus: Literal["random", "pretrained", "finetuned"]
    run: Run
    sampling_seed: Seed
    threads: PositiveInt
    encoders: dict[Name, EncoderSource]
    tasks: dict[Name, Task]
    prepare: Prepare
    finetune: Finetune
    evaluate: Evaluate
    represent: Represent
    pairwise: Pairwise
    geometry: Geometry
    attention: Attention

    def tuning(self, study: str) -> Tuning:
        """How a study tunes on labelled texts."""
        blocks = {"geometry": self.geometry.finetune, "attention": self.attention.finetune}
        if study not in blocks:
            raise UnknownNameError("study that tunes on labels", study, blocks)
        return blocks[study]

    def encoder_source(self, encoder: str) -> dict[str, Any]:
        """Where the files of an encoder are, as keyword arguments of `load_encoder`."""
        if encoder not in self.encoders:
            raise UnknownNameError("encoder", encoder, self.encoders)
        return self.encoders[encoder].model_dump()

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
    linked = params.attention.pair_heads.tasks
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
    ):
        problems += [_not_made(key, name, among, where) for name in names]
    problems += _twice(params, made)
    if bool(params.geometry.cross.tasks) != bool(params.geometry.cross.tuned_on):
        problems.append("geometry.cross needs both tasks and tuned_on, or neither.")
    found = [problem for problem in dict.fromkeys(problems) if problem]
    if found:
        raise ParamsError("\n".join(f"params.yaml: {problem}" for problem in found))


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
    return "" if name in among else f"{key} names '{name}', which is not in {where}: add it there."


def _twice(params: Params, made: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Tasks that two stages would make; a reading task makes its questions and its pairs."""
    examples = [name for key, names in made.items() if key != "pairwise.tasks" for name in names]
    examples += [f"{name}-{what}" for name in made["pairwise.tasks"] for what in ("qa", "pairs")]
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
    """Read and check params.yaml."""
    if not path.exists():
        raise ParamsError(f"{path} is missing: run the stage from the top of the repository.")
    try:
        params = Params.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        raise ParamsError("\n".join(_sentence(path, fault) for fault in error.errors())) from error
    check_names(params)
    return params


def _sentence(path: Path, fault: ErrorDetails) -> str:
    key = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{path}: no stage knows the key '{key}'; remove it or correct its name."
    if fault["type"] == "missing":
        return f"{path}: the key '{key}' is missing."
    return f"{path}: {key} is {fault['input']!r}; {fault['msg'].lower()}."
