"""A model card for a checkpoint: what it is, how it was tuned, how good it is, what to doubt.

The text is that of the hub's model cards (Mitchell et al. 2019): a head in YAML, then Markdown. It
is written from meta.json of the checkpoint, and from the result rows and params.yaml where they
are here. Nothing is added by hand, so that it is true of these weights and of no others.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from tuneprobe.artifacts import ArtifactError, check_folder, read_meta
from tuneprobe.encoders.source import CONFIG
from tuneprobe.formats.results import read_results
from tuneprobe.page.overview import markdown, tasks_table
from tuneprobe.params import Params
from tuneprobe.paths import reading_task, results
from tuneprobe.states import FROZEN
from tuneprobe.tasks import Task
from tuneprobe.yaml_file import dump_yaml

SCORED = {  # studies that hold a tuned model against baselines, and their tables
    "evaluate": "scores.csv",
    "classify": "layers.csv",
}


def model_card(checkpoint: Path, params: Params | None = None) -> str:
    """The card of a checkpoint in ``checkpoints/<encoder>/<task>/<state>/seed-<n>``.

    Parameters
    ----------
    params : Params, optional
        Of the run, for where encoder and corpus come from.

    Raises
    ------
    ArtifactError
        If the folder is no checkpoint, is not as it was written, or holds a head alone.
    """
    if not (checkpoint / "meta.json").is_file():
        raise ArtifactError(
            f"{checkpoint} is no checkpoint (it has no meta.json): give a folder such as "
            "checkpoints/minilm-l6/world-pos/finetuned/seed-13."
        )
    check_folder(checkpoint)
    meta = read_meta(checkpoint)
    if meta["state"] == FROZEN or not (checkpoint / CONFIG).is_file():
        raise ArtifactError(
            f"{checkpoint} holds a head on the encoder as it was, no tuned one: give a folder of "
            "the state finetuned."
        )
    task = checkpoint.absolute().parts[-3]
    entry = params.tasks.get(reading_task(task) or task) if params else None
    parts = [
        *_head(meta, task, params),
        *_trained(meta, entry),
        *_scores(meta, task),
        *_doubts(meta, entry),
        *_use(meta),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _head(meta: Mapping[str, Any], task: str, params: Params | None) -> Iterator[str]:
    facts: dict[str, Any] = {
        "library_name": "transformers",
        "tags": ["tuneprobe", str(meta["settings"].get("way", "full"))],
    }
    entry = params.encoders.get(meta["encoder"]) if params else None
    if entry and entry.hub:
        facts["base_model"] = entry.hub
    yield f"---\n{dump_yaml(facts).rstrip()}\n---"
    yield f"\n# {meta['encoder']}, tuned on {task}\n"
    kinds = {"qa": "answers to questions in paragraphs", "score": "a score", "label": "classes"}
    labels = meta.get("labels")
    many = (
        f" ({len(labels)}: {', '.join(labels[:12])}{', …' * (len(labels) > 12)})" if labels else ""
    )
    yield (
        f"An encoder and a head that gives {kinds.get(meta['kind'], meta['kind'])}{many}, written "
        f"by tuneprobe {version('tuneprobe')} to study what fine-tuning changes. State: "
        f"`{meta['state']}`, seed {meta['seed']}."
    )


def _trained(meta: Mapping[str, Any], entry: Task | None) -> Iterator[str]:
    yield "\n## Training\n"
    if entry:
        made_up = ", **synthetic text**" if entry.synthetic else ""
        licence = f", licence {entry.licence}" if entry.licence else ""
        yield f"Corpus: {entry.path} (format {entry.format}){made_up}{licence}."
    alone = " The encoder is as it came; the head alone was trained." * bool(meta.get("head_only"))
    yield (
        f"{meta['n_inputs']} inputs, {meta['n_steps']} updates by AdamW, mean loss of the last "
        f"{meta['last_loss']:.4g}.{alone}\n"
    )
    yield "| setting | value |\n|---|---|"
    yield from (f"| {name} | {value} |" for name, value in sorted(meta["settings"].items()))


def _scores(meta: Mapping[str, Any], task: str) -> Iterator[str]:
    yield "\n## Evaluation\n"
    rows = _rows(meta, task)
    table = tasks_table(rows) if len(rows) else None
    if table and table.rows:
        yield (
            "In percent, on the test examples; the gain is paired over them, with its interval. "
            "*Learned* says whether the model is above each baseline that was measured beside it.\n"
        )
        yield markdown(table)
    else:
        yield "Not measured here: no result row of this model lies in results/."


def _rows(meta: Mapping[str, Any], task: str) -> pd.DataFrame:
    """The rows of this model beside its baselines, as far as they are here."""
    wanted = [
        results(meta["encoder"], task, study, meta["seed"]) / table
        for study, table in SCORED.items()
    ]
    tables = [read_results(path) for path in wanted if path.is_file()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _doubts(meta: Mapping[str, Any], entry: Task | None) -> Iterator[str]:
    yield "\n## Limits\n"
    if entry and entry.synthetic:
        yield "- The corpus was generated: scores say nothing about natural text."
    yield f"- One seed of tuning ({meta['seed']}); another may give another model."
    yield "- Made for analysis, not for use: neither bias nor safety was looked at."


def _use(meta: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Use\n"
    yield "```python"
    yield "from transformers import AutoModel, AutoTokenizer\n"
    yield 'model, tokenizer = (one.from_pretrained("FOLDER") for one in (AutoModel, AutoTokenizer))'
    yield "```"
    yield "\nThe head is `head.safetensors`; `tuneprobe.tuning.labelling.load_label_head` reads one"
    yield "of labels. SHA-256 of what lies here:\n"
    yield "| file | SHA-256 |\n|---|---|"
    yield f"| model.safetensors | {meta['weights_sha256']} |"
    yield f"| head.safetensors | {meta['head_sha256']} |"
    yield f"| training data, as it was read | {meta['data_sha256']} |"
