"""The schema of params.yaml, and the only reader of that file.

Strict and frozen: an unknown key, a missing key or a value out of range is one clear error.
"""

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

PositiveInt = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
EncoderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class ParamsError(TuneprobeError):
    """params.yaml holds something that no stage understands."""


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderSource(_Block):
    """Where an encoder's files are: an installed package, the hub, or a local folder.

    With `sha256`, other weights than those of this hash are refused.
    """

    package: str | None = None
    folder: str | None = None
    hub: str | None = None
    path: str | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "EncoderSource":
        if not (self.package or self.hub or self.path):
            raise ValueError("give package (with folder), hub or path")
        return self


class Annotator(_Block):
    """The spaCy model that annotates words; another one is refused."""

    package: str
    sha256: Sha256


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

    corpus: str
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
    """What is followed over the steps of a fine-tuning."""

    most: PositiveInt
    path_labels: tuple[str, ...]


class Geometry(_Block):
    """The geometry study."""

    corpus: str
    finetune: Tuning
    snapshot_every: PositiveInt
    classify: Classify
    directprobe: DirectProbe
    similarity: Similarity
    dynamics: Dynamics


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


class PairHeads(_Block):
    """Heads that link annotated words."""

    task: str
    tuned_on: str
    states: States
    pairing: Literal["all", "zip"]
    tokens_per_batch: PositiveInt | None
    confidence: Confidence
    bootstrap: PositiveInt


class Attention(_Block):
    """The attention study."""

    tasks: tuple[str, str]
    finetune: Tuning
    frames: list[Literal["framenet-1.5", "framenet-1.7"]]
    maps: Maps
    patterns: PatternNetwork
    ablate: Ablate
    pair_heads: PairHeads


class Params(_Block):
    """Everything that params.yaml says."""

    focus: Literal["random", "pretrained", "finetuned"]
    encoder: EncoderName
    seed: Annotated[int, Field(ge=0)]
    threads: PositiveInt
    workers: PositiveInt
    backend: Literal["local", "dask"]
    launch: str
    encoders: dict[EncoderName, EncoderSource]
    annotator: Annotator
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

    def encoder_source(self, name: str | None = None) -> dict[str, Any]:
        """Where an encoder's files are, by default those of `encoder`: for `load_encoder`."""
        name = self.encoder if name is None else name
        if name not in self.encoders:
            raise UnknownNameError("encoder", name, self.encoders)
        return self.encoders[name].model_dump()


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml."""
    if not path.exists():
        raise ParamsError(f"{path} is missing: run the stage from the top of the repository.")
    try:
        return Params.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        raise ParamsError("\n".join(_sentence(path, fault) for fault in error.errors())) from error


def _sentence(path: Path, fault: ErrorDetails) -> str:
    key = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{path}: no stage knows the key '{key}'; remove it or correct its name."
    if fault["type"] == "missing":
        return f"{path}: the key '{key}' is missing."
    return f"{path}: {key} is {fault['input']!r}; {fault['msg'].lower()}."
