"""What the papers print, and what must be said about an encoder before its numbers are read."""

from typing import NamedTuple

from tuneprobe.report.wording import MISSING

PAPER_LAYERS = 12


class PublishedScores(NamedTuple):
    """A row of Table 2 of Cai et al. 2020: precision, recall and F1, long and short, in percent."""

    label: str
    long: tuple[float, float, float]
    short: tuple[float, float, float]

    @property
    def cells(self) -> list[str]:
        """The six numbers as the paper prints them; it scores no single answers."""
        return [*(f"{score:.2f}" for score in (*self.long, *self.short)), MISSING, MISSING]


TABLE_2 = (
    PublishedScores("Pre-trained", (16.81, 28.10, 21.03), (4.16, 3.81, 4.57)),
    PublishedScores("Fine-tuned", (56.91, 62.30, 59.48), (46.74, 40.25, 43.25)),
)
TABLE_2_NOTES = (
    "The paper’s short-answer row of the pre-trained model (4.16 / 3.81 / 4.57) is impossible as "
    "printed: an F1 never exceeds both precision and recall. With precision and F1 swapped it is "
    "consistent. How that row was obtained is not said: the untrained head and a head trained on "
    "the frozen encoder are the two readings, and both stand here.",
    "The paper scores BERT-base on the development set of Natural Questions: its rows are a "
    "reference, not a target for another encoder on other questions.",
)
ANSWER_LABELS = {
    "random": "Random encoder, untrained head",
    "pretrained": "Pre-trained, untrained head",
    "frozen": "Pre-trained and frozen, trained head",
    "finetuned": "Fine-tuned",
}

ENCODER_NOTES = {
    "minilm-l6": (
        "minilm-l6 (all-MiniLM-L6-v2) is a BERT of 6 layers that was distilled and then tuned for "
        "sentence similarity: ‘pre-trained’ here means before our tuning, not BERT as published."
    ),
}
