"""Learning curves: which losses a run has, the parts of a tuning, what is said of them."""

import numpy as np
import pandas as pd
import pytest
from made_up_results import made_up_results

from tuneprobe import paths
from tuneprobe.inventory import Inventory
from tuneprobe.page.inputs import PageInputs
from tuneprobe.page.learning import DONE, binned, caption
from tuneprobe.page.page import render_page
from tuneprobe.params import load_params


def losses(task: str, values: np.ndarray, state: str = "finetuned", seed: int = 1) -> pd.DataFrame:
    """A curve with a point every ten updates."""
    steps = 10 * np.arange(1, len(values) + 1)
    return pd.DataFrame({"step": steps, "loss": values}).assign(task=task, state=state, seed=seed)


def page(*curves: pd.DataFrame) -> PageInputs:
    return PageInputs(made_up_results(), losses=pd.concat(curves))


def test_a_part_is_the_mean_of_its_updates_and_seeds_are_its_bounds() -> None:
    values = np.random.default_rng(0).random((2, 60))
    found = binned(pd.concat([losses("a", row, seed=seed) for seed, row in enumerate(values)]))
    slow = [[sum(row[3 * n : 3 * n + 3]) / 3 for n in range(20)] for row in values]
    assert list(found[DONE]) == list(range(5, 105, 5))
    assert list(found.value) == pytest.approx([(a + b) / 2 for a, b in zip(*slow, strict=True)])
    assert list(found.low) == pytest.approx(list(map(min, *slow)))
    assert list(found.high) == pytest.approx(list(map(max, *slow)))


@pytest.mark.parametrize("n", [1, 4, 7, 20, 41])
def test_a_tuning_of_few_points_has_a_part_for_each(n: int) -> None:
    found = binned(losses("a", np.arange(n, dtype=float)))
    assert len(found) == min(n, 20)
    assert found[DONE].iloc[-1] == 100
    assert found.value.is_monotonic_increasing


def test_what_still_falls_is_named_and_what_has_levelled_off_is_not() -> None:
    falls = losses("falls", np.linspace(2, 1, 40))
    flat = losses("flat", np.r_[np.linspace(2, 1, 20), np.ones(20)])
    assert "to the last in falls:" in caption(page(falls, flat))
    assert caption(page(flat)).startswith("No loss fell by a tenth")
    assert "flat 1.97 to 1.00" in caption(page(flat))


def test_the_page_shows_the_curves_where_there_are_any() -> None:
    html = render_page(page(losses("world-qa", np.linspace(3, 1, 40))), [])
    assert '<details id="learning">' in html
    assert "reading world, updates, % 5 to 100: fine-tuned from" in html
    assert 'id="learning"' not in render_page(PageInputs(made_up_results()), [])


def test_a_run_has_the_losses_of_its_own_tunings(tmp_path, monkeypatch, root) -> None:
    params = load_params(root / "params.yaml")
    monkeypatch.chdir(tmp_path)
    made = Inventory.of(params)
    assert made.losses().empty
    [seed], encoder = params.run.seeds, params.run.encoders[0]
    for task, state in (("world-qa", "frozen"), ("world-pos", "finetuned"), ("other", "finetuned")):
        curve = paths.losses(encoder, task, state, seed)
        curve.parent.mkdir(parents=True)
        curve.write_text("step\tloss\n10\t1.5\n")
    found = made.losses()
    assert list(found.task) == ["world-qa", "world-pos"]
    assert list(found.state) == ["frozen", "finetuned"]
    assert set(found.loss) == {1.5}
