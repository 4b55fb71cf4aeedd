"""Write the page of the run."""

import json

import pandas as pd

from tuneprobe import paths
from tuneprobe.artifacts import atomic_file, read_meta
from tuneprobe.params import load_params
from tuneprobe.report import PageInputs, render_page
from tuneprobe.results import read_results
from tuneprobe.stage import run


def main() -> None:
    """Read results and provenance; write report/index.html."""
    params = load_params()
    encoder, settings = params.encoder, params.pairwise
    pairs, answers = f"{settings.corpus}-pairs", f"{settings.corpus}-qa"
    pairwise = paths.results(encoder, pairs, "pairwise")
    scores = paths.results(encoder, answers, "evaluate") / "scores.csv"
    tables = [pairwise / "layers.csv", pairwise / "gaps.csv", scores]
    artifacts = [
        paths.examples(pairs),
        paths.examples(answers),
        *(paths.representation(encoder, pairs, s) for s in ("random", "pretrained", "finetuned")),
    ]
    page = render_page(
        PageInputs(
            results=pd.concat([read_results(table) for table in tables], ignore_index=True),
            funnel=pd.read_csv(paths.examples(pairs) / "funnel.csv"),
            params=params.model_dump(),
            artifacts={str(path): read_meta(path) for path in artifacts},
            templates={
                path.stem: json.loads(path.read_text())
                for path in paths.PLOT_TEMPLATES.glob("*.json")
            },
            encoder=encoder,
            corpus=settings.corpus,
            layer_mark=settings.layer_mark,
            margin=settings.equivalence_margin,
            confidence=settings.confidence,
        )
    )
    with atomic_file(paths.PAGE) as part:
        part.write_text(page)


if __name__ == "__main__":
    run(main)
