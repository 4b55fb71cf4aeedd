"""How the losses of a run's tunings fell: a figure among the methods."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from tuneprobe.page.charts import FINETUNED, PRETRAINED, RANDOM
from tuneprobe.page.figures import Curves, Quantity, sentences
from tuneprobe.page.inputs import PageInputs
from tuneprobe.states import FROZEN, RANDOM_FINETUNED
from tuneprobe.wording import listed, number

DONE = "updates, %"
PARTS = 20  # of a tuning, at most
STILL = 0.1  # share of the whole fall
TUNED = (
    FINETUNED,
    replace(PRETRAINED, name=FROZEN, label="the head alone, on the frozen encoder"),
    replace(RANDOM, name=RANDOM_FINETUNED, label="all weights, from random ones"),
)


def binned(losses: pd.DataFrame) -> pd.DataFrame:
    """Mean loss in each twentieth of a tuning, averaged over the seeds.

    Parameters
    ----------
    losses : DataFrame
        ``task, state, seed, step`` and ``loss``, the mean of the updates since the point before.

    Returns
    -------
    DataFrame
        ``task, state``, the column `DONE` (percent of the updates at the end of a part), ``value``,
        and ``low`` and ``high``, the lowest and highest seed. A tuning of fewer points has a part
        for each.
    """
    parts = []
    for _, curve in losses.groupby(["task", "state", "seed"], sort=False):
        n = min(PARTS, len(curve))
        end = -(-n * curve.step // curve.step.max())  # rounded up
        parts.append(curve.assign(**{DONE: (100 * end / n).round().astype(int)}))
    keys = ["task", "state", DONE]
    of_seed = pd.concat(parts).groupby([*keys, "seed"], sort=False).loss.mean()
    found = of_seed.groupby(keys, sort=False).agg(value="mean", low="min", high="max")
    return found.reset_index()


@sentences
def caption(inputs: PageInputs) -> Iterator[str]:
    """Which encoders were still learning at the end, and the first and last loss of each."""
    points = binned(inputs.losses)
    said, learning = [], []
    for name, curve in inputs.by_task(points[points.state == FINETUNED.name]):
        first, last = curve.value.iloc[0], curve.value.iloc[-1]
        said.append(f"{name} {number(first, 2)} to {number(last, 2)}")
        quarters = curve.value.groupby(-(-curve[DONE] // 25)).mean()
        if len(quarters) == 4 and quarters[3] - quarters[4] > STILL * (first - last) > 0:
            learning.append(name)
    if said:
        yield (
            "More than a tenth of the fall of the loss came from the third quarter of the updates "
            f"to the last in {listed(learning)}: longer tuning may teach more."
            if learning
            else "No loss fell by a tenth of its whole fall between the last two quarters of it."
        )
        yield f"Loss at the start and at the end, all weights tuned: {'; '.join(said)}."


def learning_curves(inputs: PageInputs) -> Curves:
    """The figure of a run: a panel per task, each with an axis of its own."""
    points = binned(inputs.losses)
    tasks = list(points.task.unique())
    return Curves(
        "learning",
        "How the losses fell",
        axis="training loss",
        reading="The mean training loss over the updates of each tuning, in parts of a twentieth; "
        "of several seeds their mean, with the lowest and the highest. Losses of different tasks "
        "have different units. They are of texts that were learned from: what a tuned encoder can "
        "do on others is in the first table.",
        caption=caption,
        groups=lambda _: tasks,
        quantities=[Quantity("", lambda _: points, digits=2, groups=[task]) for task in tasks],
        x=DONE,
        series=TUNED,
    )
