"""Damaged files: an artifact is refused in one sentence, what is kept over a kill counts as absent.

Places x damages; docs/reliability.md shows the same table.
"""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from damages import DAMAGES, Damage
from labels_tuned_in_process import snapshots
from made_up_attention import made_up_attention
from made_up_page import PIECES, store_maps
from made_up_spaces import two_squares, write_layers
from stored import contents
from test_ablation_spread import many_pairs, tuned_at, write_tuned
from tiny_labels import tagged_words
from tiny_reader import DIM, simple_questions
from tuned_in_process import tune

from tuneprobe.artifacts import ArtifactError, atomic_folder, read_json, read_meta, write_json
from tuneprobe.corpora.mrc import Shard
from tuneprobe.digests import SUMS, is_whole, write_sums
from tuneprobe.encoders.encoder import load_encoder
from tuneprobe.encoders.represent import write_representations
from tuneprobe.examples.pieces import write_pieces
from tuneprobe.examples.qa import ANNOTATORS, build_qa, read_questions
from tuneprobe.examples.shards import prepared
from tuneprobe.formats.examples import read_examples, write_examples
from tuneprobe.formats.representations import open_representations
from tuneprobe.formats.results import Result, read_results, stamp, write_results
from tuneprobe.inventory import read_table
from tuneprobe.kept import Kept
from tuneprobe.remedy import remedy, stage_of
from tuneprobe.spaces import example_table
from tuneprobe.studies.attention.ablation.spread import OUTPUTS, kept_sweep, loaded
from tuneprobe.studies.attention.ablation.sweep import ablation_sweep
from tuneprobe.studies.attention.example_figure import map_cells
from tuneprobe.studies.attention.patterns.network import PatternNetwork, read_network, write_network
from tuneprobe.studies.geometry.directprobe.study import DISTANCE_COLUMNS, read_distances
from tuneprobe.studies.geometry.similarity.dynamics import open_snapshots
from tuneprobe.tuning import finetune
from tuneprobe.tuning.checkpoints import (
    PROGRESS,
    TENSORS,
    ResumePoint,
    load_head,
    read_head,
    read_resume_point,
    write_checkpoint,
    write_resume_point,
)
from tuneprobe.tuning.heads import make_head
from tuneprobe.tuning.labelled_texts import labelled_texts
from tuneprobe.tuning.labelling import load_label_head
from tuneprobe.units import layer_units, measured

pytestmark = pytest.mark.usefixtures("one_thread")

LABELS = ["0", "1"]


class Context(NamedTuple):
    """What writers and readers share: a tiny BERT, and two folders of snapshots."""

    source: Path
    snapshots: list[Path]

    def encoder(self, **state: Any):
        return load_encoder("tiny", path=str(self.source), **state)


class Place(NamedTuple):
    """A file of an artifact: how the artifact is written (two variants) and read."""

    file: str
    write: Callable[[Context, Path, int], object]
    read: Callable[[Context, Path], object]


def write_tagged(_: Context, folder: Path, variant: int) -> None:
    write_examples(tagged_words(12 + variant), folder, {"funnel.csv": funnel(variant)})


def funnel(variant: int) -> pd.DataFrame:
    return pd.DataFrame({"probe": ["p"], "step": ["s"], "kept": [variant], "reason": ["none"]})


def write_qa(_: Context, folder: Path, variant: int) -> None:
    write_pieces([build_qa(simple_questions(6 + variant))], folder, ANNOTATORS)


def write_rep(context: Context, folder: Path, variant: int) -> None:
    encoder = context.encoder(state="random", seed=variant)
    write_representations(encoder, tagged_words(), folder)


def write_tuning(context: Context, folder: Path, variant: int, kind: str = "qa") -> None:
    encoder = context.encoder(state="random", seed=variant)
    shape = {} if kind == "qa" else {"n_outputs": 2, "n_spans": 1}
    head = make_head(kind, DIM, variant, **shape)
    encoder.model.config.layer_norm_eps = 1e-12 * (1 + variant)
    encoder.tokenizer.model_max_length = 512 + variant
    write_checkpoint(
        folder, encoder, head, kind=kind, state="finetuned", labels=LABELS, seed=variant
    )


def read_tuning(context: Context, folder: Path) -> None:
    read_head(folder, context.encoder(state="finetuned", checkpoint=folder))


def write_label_tuning(context: Context, folder: Path, variant: int) -> None:
    write_tuning(context, folder, variant, "label")


def write_patterns(_: Context, folder: Path, variant: int) -> None:
    network = PatternNetwork()
    for weight in network.parameters():
        weight.data.fill_(variant / 100)
    write_network(folder, network, seed=variant)


def write_tables(_: Context, folder: Path, variant: int) -> None:
    numbers = [Result("m", layer / 3 + variant, layer=layer) for layer in range(9)]
    rows = stamp(numbers, study="s", encoder="e", task="t", seed=1, state="random")
    pairs = [("tuned", 1, "train", True, "a", "b", 1.0 + variant)]
    columns = ["state", "layer", "split", "linear", "label1", "label2", "distance"]
    with atomic_folder(folder) as part:
        write_results(rows, part / "layers.csv")
        funnel(variant).to_csv(part / "steps.csv", index=False)
        distances = pd.DataFrame(pairs, columns=columns)[list(DISTANCE_COLUMNS)]
        distances.to_parquet(part / "distances.parquet", index=False)


def write_maps(_: Context, folder: Path, variant: int) -> None:
    folder.mkdir(parents=True)
    store_maps(folder)
    if variant:
        path = folder / "index.csv"
        path.write_text(path.read_text().replace(PIECES, PIECES.replace("gull", "tern")))
        np.save(folder / "pretrained.npy", np.load(folder / "pretrained.npy") / 2)
    write_sums(folder)


def copy_snapshots(context: Context, folder: Path, variant: int) -> None:
    shutil.copytree(context.snapshots[variant], folder)


@cache
def attention_rows() -> pd.DataFrame:
    return made_up_attention()


def opened(_: Context, folder: Path) -> None:
    stored = open_representations(folder, tagged_words())
    for layer in stored.layers:
        stored.layer(layer)


def opened_snapshots(_: Context, folder: Path) -> None:
    for stored in open_snapshots(folder, tagged_words()).values():
        stored.layer(1)


def examples_of(_: Context, folder: Path) -> object:
    return read_examples(folder)


def questions_of(_: Context, folder: Path) -> object:
    return list(read_questions(folder, "train"))


PLACES = [
    *(
        Place(f, write_tagged, examples_of)
        for f in ("texts.parquet", "spans.parquet", "examples.parquet", "meta.json")
    ),
    Place("funnel.csv", write_tagged, lambda _, folder: read_table(folder / "funnel.csv")),
    *(
        Place(f, write_qa, questions_of)
        for f in ("texts.parquet", "spans.parquet", "examples.parquet", "meta.json")
    ),
    Place("layer_00.npy", write_rep, opened),
    Place("layer_01.npy", write_rep, opened),
    Place("meta.json", write_rep, opened),
    *(
        Place(f, write_tuning, read_tuning)
        for f in (
            "model.safetensors",
            "config.json",
            "tokenizer_config.json",
            "head.safetensors",
            "meta.json",
        )
    ),
    Place("head.safetensors", write_tuning, lambda _, folder: load_head(folder)),
    Place("head.safetensors", write_label_tuning, lambda _, folder: load_label_head(folder)),
    *(
        Place(f, write_patterns, lambda _, folder: read_network(folder))
        for f in ("network.safetensors", "meta.json")
    ),
    Place("layers.csv", write_tables, lambda _, folder: read_results(folder / "layers.csv")),
    Place("steps.csv", write_tables, lambda _, folder: read_table(folder / "steps.csv")),
    Place(
        "distances.parquet",
        write_tables,
        lambda _, folder: read_distances(folder / "distances.parquet"),
    ),
    *(
        Place(f, write_maps, lambda _, folder: map_cells(folder, attention_rows(), "world-rte"))
        for f in ("index.csv", "pretrained.npy")
    ),
    *(
        Place(f, copy_snapshots, opened_snapshots)
        for f in ("meta.json", "step_00005/layer_01.npy", "step_00005/meta.json")
    ),
]


@pytest.fixture(scope="module")
def context(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    made = []
    for every in (5, 6):
        folder = tmp_path_factory.mktemp("snapshots")
        snapshots(source, folder, every=every)
        made.append(folder / "snapshots")
    shutil.copytree(made[0] / "step_00000", made[1] / "step_00005")  # other valid content
    return Context(source, made)


@pytest.fixture(scope="module")
def written(context: Context, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Each variant of an artifact, written once."""
    made: dict[tuple[object, int], Path] = {}

    def get(place: Place, variant: int) -> Path:
        key = place.write, variant
        if key not in made:
            made[key] = tmp_path_factory.mktemp("made") / "artifact"
            place.write(context, made[key], variant)
        return made[key]

    return get


def named(place: Place) -> str:
    return f"{place.write.__name__.removeprefix('write_')}-{place.file}"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", PLACES, ids=named)
def test_a_damaged_artifact_is_one_sentence_with_its_file_and_what_to_run(
    place: Place, damage: Damage, context: Context, written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(written(place, 0), folder)
    place.read(context, folder)
    damage(folder / place.file, written(place, 1) / place.file)
    with pytest.raises(ArtifactError) as refused:
        place.read(context, folder)
    said = str(refused.value)
    assert str(folder / place.file) in said
    assert "run 'dvc checkout --force" in said
    assert "\n" not in said


@pytest.mark.parametrize("place", PLACES, ids=named)
def test_a_missing_file_is_one_sentence_too(
    place: Place, context: Context, written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(written(place, 0), folder)
    (folder / place.file).unlink()
    with pytest.raises(ArtifactError, match=f"{place.file} is missing: run 'dvc repro'"):
        place.read(context, folder)


@pytest.mark.parametrize("damage", DAMAGES[:2])
@pytest.mark.parametrize(
    "place",
    [place for place in PLACES if place.file in ("texts.parquet", "model.safetensors")],
    ids=named,
)
def test_a_damaged_list_of_digests_hides_no_damage(
    place: Place, damage: Damage, context: Context, written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(written(place, 0), folder)
    damage(folder / SUMS, folder)
    shutil.copy(written(place, 1) / place.file, folder / place.file)
    with pytest.raises(ArtifactError, match="run 'dvc checkout --force"):
        place.read(context, folder)


@pytest.mark.parametrize("damage", DAMAGES[:2])
@pytest.mark.parametrize("place", PLACES, ids=named)
def test_without_a_list_of_digests_what_cannot_be_read_is_still_one_sentence(
    place: Place, damage: Damage, context: Context, written: Callable[..., Path], tmp_path: Path
) -> None:
    if place.file.endswith(".csv") or place.file == "tokenizer_config.json":
        pytest.skip("half a CSV can be read; the tokenizer is that of the encoder's source")
    folder = tmp_path / "artifact"
    shutil.copytree(written(place, 0), folder)
    for path in folder.rglob(SUMS):
        path.unlink()
    damage(folder / place.file, folder)
    with pytest.raises(Exception, match="cannot be read") as refused:
        place.read(context, folder)
    assert type(refused.value).__name__ in ("ArtifactError", "EncoderError")


@pytest.mark.parametrize("text", ['{"n": NaN}', '{"n": -Infinity}', "[1]", "3", '{"n": 1'])
def test_a_json_file_that_is_no_object_of_finite_numbers_is_refused(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"meta\.json cannot be read .*dvc checkout"):
        read_meta(tmp_path)


def test_an_infinite_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"meta\.json would hold an infinite number"):
        write_json(tmp_path / "meta.json", {"kappa": float("inf")})
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_meta_json_lacks_is_one_sentence(tmp_path: Path) -> None:
    write_json(tmp_path / "meta.json", {"seed": 1})
    meta = read_json(tmp_path / "meta.json")
    assert meta == {"seed": 1}
    assert meta.get("last_layer") is None
    with pytest.raises(ArtifactError, match=r"meta\.json does not say 'last_layer': run 'dvc"):
        meta["last_layer"]


def test_the_stage_that_makes_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = "stages:\n  prepare@t:\n    outs:\n    - path: examples/t\n      md5: x\n  bare: {}\n"
    (tmp_path / "dvc.lock").write_text(lock)
    monkeypatch.chdir(tmp_path)
    meta = Path("examples/t/meta.json")
    assert remedy(meta) == "run 'dvc repro prepare@t' (or 'dvc pull')."
    meta.parent.mkdir(parents=True)
    meta.touch()
    assert "'dvc checkout --force examples/t', or 'dvc repro prepare@t'" in remedy(meta)
    assert stage_of(meta.absolute()) == "prepare@t"
    assert stage_of(Path("examples/u/meta.json")) == ""
    (tmp_path / "dvc.lock").write_text("stages: [")
    assert stage_of(meta) == ""


# What is kept over a kill


def kept_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.name != SUMS)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_piece_counts_as_absent_and_is_removed(damage: Damage, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept")
    for key in ("one", "two"):
        with kept.writing(key) as folder:
            (folder / "a").write_text(f"{key} {key}")
    assert "one" in kept
    damage(kept.at("one") / "a", kept.at("two") / "a")
    assert "one" not in kept
    assert not kept.at("one").exists()
    assert "two" in kept


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "b").unlink(),
        lambda folder: (folder / "more").touch(),
        lambda folder: (folder / SUMS).unlink(),
        lambda folder: (folder / SUMS).write_text(""),
        lambda folder: [shutil.rmtree(folder), folder.touch()],
    ],
    ids=["a file less", "a file more", "no list", "an empty list", "no folder"],
)
def test_a_piece_is_whole_only_with_its_files_and_its_list(
    harm: Callable[[Path], object], tmp_path: Path
) -> None:
    kept = Kept(tmp_path)
    with kept.writing("one") as folder:
        (folder / "a").write_text("a")
        (folder / "b").write_text("b")
    assert is_whole(kept.at("one"))
    harm(kept.at("one"))
    assert "one" not in kept
    with kept.writing("one") as folder:
        (folder / "a").write_text("a")
    assert "one" in kept


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_unit_is_measured_again(damage: Damage, tmp_path: Path) -> None:
    states, table = unit_states(tmp_path)
    units = layer_units(states, lambda *_: {"log": str(tmp_path / "log")})
    call = {"cache": tmp_path / "cache", "workers": 1}
    with measured(mean_of_layer, units, table, **call) as undisturbed:
        pass
    with pytest.raises(KeyboardInterrupt), measured(mean_of_layer, units, table, **call):
        raise KeyboardInterrupt
    n_before = len((tmp_path / "log").read_text().split())
    first, second, *_ = kept_files(tmp_path / "cache", "*.parquet")
    damage(first, second)
    with measured(mean_of_layer, units, table, **call) as again:
        assert again["means"].equals(undisturbed["means"])
    assert len((tmp_path / "log").read_text().split()) == n_before + 1
    assert not (tmp_path / "cache").exists()


def unit_states(folder: Path) -> tuple[Any, pd.DataFrame]:
    examples, X = two_squares()
    layers = [np.full_like(X, number) for number in range(3)]
    return {"tuned": write_layers(folder / "rep", layers, examples)}, example_table(examples)


def mean_of_layer(space: Any, *, log: str) -> dict[str, pd.DataFrame]:
    mean = float(space.X_train.mean())
    with Path(log).open("a") as file:
        file.write(f"{mean:.3f}\n")
    return {"means": pd.DataFrame({"mean": [mean]})}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_is_prepared_again(damage: Damage, tmp_path: Path) -> None:
    shards = []
    for name in ("north", "south", "west"):
        (tmp_path / name).write_text(name)
        shards.append(Shard((tmp_path / name,), lambda _: iter(())))
    call = {"cache": tmp_path / "cache", "workers": 1, "settings": {"log": str(tmp_path / "log")}}
    with pytest.raises(KeyboardInterrupt), prepared(copy_shard, shards, **call):
        raise KeyboardInterrupt
    first, second, *_ = kept_files(tmp_path / "cache", "part.txt")
    damage(first, second)
    with prepared(copy_shard, shards, **call) as parts:
        assert [(part / "part.txt").read_text() for part in parts] == ["north", "south", "west"]
    assert len((tmp_path / "log").read_text().split()) == 4


def copy_shard(shard: Shard, folder: Path, *, log: str) -> None:
    text = shard.files[0].read_text()
    with Path(log).open("a") as file:
        file.write(f"{text}\n")
    (folder / "part.txt").write_text(text)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_of_a_sweep_is_swept_again(
    damage: Damage, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneprobe.studies.attention.ablation.sweep.BLOCK_TOKENS", 200)
    tuned = tuned_at(write_tuned(tmp_path / "tuned", source), source)
    model = tuned.sha256()
    labeller = loaded(tuned, model)
    data = labelled_texts(labeller.encoder, many_pairs(40), "test")
    sweep = kept_sweep(tuned, model, cache=tmp_path / "cache", workers=1)
    undisturbed = ablation_sweep(labeller.head, data, sweep=sweep)
    blocks = kept_files(tmp_path / "cache", OUTPUTS)
    assert len(blocks) > 2
    damage(blocks[0], blocks[1])
    assert np.array_equal(ablation_sweep(labeller.head, data, sweep=sweep), undisturbed)
    assert kept_files(tmp_path / "cache", OUTPUTS) == blocks


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", [TENSORS, PROGRESS])
def test_a_damaged_resume_point_is_none(damage: Damage, file: str, tmp_path: Path) -> None:
    for number, folder in enumerate((tmp_path / "mine", tmp_path / "other")):
        point = ResumePoint([0.5 + number], {"weight": torch.full((64,), float(number))})
        write_resume_point(folder, "fingerprint", point)
    assert read_resume_point(tmp_path / "mine", "fingerprint") is not None
    paths = [tmp_path / name / "fingerprint" / file for name in ("mine", "other")]
    damage(*paths)
    assert read_resume_point(tmp_path / "mine", "fingerprint") is None


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that calls another one until a step of its training, which Ctrl-C ends."""

    def call(training: Callable[..., object], *arguments: object, step: int) -> None:
        original = finetune.schedule

        def ending(number: int, *of: Any) -> float:
            if number == step:
                raise KeyboardInterrupt
            return original(number, *of)

        with monkeypatch.context() as patched:
            patched.setattr(finetune, "schedule", ending)
            with pytest.raises(KeyboardInterrupt):
                training(*arguments)

    return call


@pytest.mark.parametrize("damage", DAMAGES[:3])
def test_a_training_with_a_damaged_resume_point_ends_in_the_same_bytes(
    damage: Damage, source: Path, tmp_path: Path, interrupted: Callable[..., None]
) -> None:
    tune(source, tmp_path / "undisturbed")
    interrupted(tune, source, tmp_path / "mine", step=10)
    (path,) = kept_files(tmp_path / "mine" / "resume", TENSORS)
    damage(path, path)
    tune(source, tmp_path / "mine")
    assert contents(tmp_path / "mine") == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_training_begins_anew_where_a_snapshot_on_its_way_is_damaged(
    damage: Damage,
    context: Context,
    tmp_path: Path,
    interrupted: Callable[..., None],
) -> None:
    interrupted(snapshots, context.source, tmp_path, step=10)
    waiting = tmp_path / "work" / "snapshots"
    assert {path.name for path in waiting.iterdir()} == {"step_00000", "step_00005", "step_00010"}
    damage(waiting / "step_00005" / "layer_01.npy", waiting / "step_00000" / "layer_01.npy")
    snapshots(context.source, tmp_path)
    assert contents(tmp_path / "snapshots") == contents(context.snapshots[0])
