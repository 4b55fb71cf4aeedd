"""Say what an encoder is, in a file that every stage that reads the encoder depends on."""

from tuneprobe import paths
from tuneprobe.artifacts import write_json
from tuneprobe.encoders.source import encoder_facts
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, run


def main(encoder: EncoderName) -> None:
    """Write the hashes of the weights and of the tokenizer of ENCODER."""
    source = load_params().encoder_source(encoder)
    write_json(paths.encoder(encoder), encoder_facts(encoder, **source))


if __name__ == "__main__":
    run(main)
