"""What Zhou & Srikumar 2022 print: Tables 2, 5 and 7."""

from math import nan
from typing import NamedTuple

ENCODER_LAYERS = {"BERT-tiny": 2, "BERT-small": 4, "BERT-base": 12}


class PublishedTask(NamedTuple):
    """One encoder on one task at the last layer, before and after tuning; NaN where not quoted.

    ``accuracy`` in percent, ``clusters`` of DirectProbe, ``similarity`` of train to test.
    """

    encoder: str
    task: str
    accuracy: tuple[float, float]
    clusters: tuple[float, float] = (nan, nan)
    similarity: tuple[float, float] = (nan, nan)


TABLES_2_AND_5 = (
    PublishedTask("BERT-tiny", "POS", (90.76, 91.67), (3936, 20)),
    PublishedTask("BERT-tiny", "DEP", (86.74, 89.04), (653, 46)),
    PublishedTask("BERT-tiny", "PS-role", (58.38, 60.31), (46, 46), (0.76, 0.70)),
    PublishedTask("BERT-tiny", "PS-fxn", (74.14, 74.40), (402, 40)),
    PublishedTask("BERT-tiny", "TREC-50", (68.12, 84.04), (399, 51)),
    PublishedTask("BERT-small", "POS", (94.26, 95.43), similarity=(0.96, 0.72)),
    PublishedTask("BERT-small", "DEP", (92.93, 94.48), similarity=(0.93, 0.78)),
    PublishedTask("BERT-small", "PS-role", (74.22, 74.57), similarity=(0.84, 0.54)),
    PublishedTask("BERT-small", "PS-fxn", (86.26, 85.08), similarity=(0.82, 0.44)),
    PublishedTask("BERT-small", "TREC-50", (81.32, 89.60), (113, 51)),
    PublishedTask("BERT-base", "POS", (93.39, 95.68), similarity=(0.97, 0.70)),
    PublishedTask("BERT-base", "DEP", (89.39, 94.76), similarity=(0.92, 0.76)),
    PublishedTask("BERT-base", "PS-role", (74.49, 81.14), similarity=(0.82, 0.52)),
    PublishedTask("BERT-base", "PS-fxn", (87.75, 89.58), similarity=(0.84, 0.57)),
    PublishedTask("BERT-base", "TREC-50", (85.24, 90.36), (162, 51)),
)


class PublishedCross(NamedTuple):
    """A row of Table 7: BERT-base probed on PS-fxn after tuning on a task."""

    tuned_on: str
    rose: int
    fell: int
    change: float
    accuracy: float


TABLE_7 = (
    PublishedCross("PS-fxn", 40, 0, 5.29, 89.58),
    PublishedCross("PS-role", 27, 13, 1.02, 88.53),
    PublishedCross("POS", 0, 40, -1.68, 83.24),
)
