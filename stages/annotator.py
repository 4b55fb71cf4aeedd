"""Say what the spaCy model is, in a file that every stage that annotates depends on."""

from tuneprobe import paths
from tuneprobe.artifacts import write_json
from tuneprobe.examples.annotate import annotator_facts
from tuneprobe.params import load_params
from tuneprobe.stage import run


def main() -> None:
    """Write name, version and hash of the installed English model."""
    write_json(paths.ANNOTATOR, annotator_facts(**load_params().annotator.model_dump()))


if __name__ == "__main__":
    run(main)
