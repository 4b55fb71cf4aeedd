"""Say what an encoder is, in a file that every stage that reads the encoder depends on."""

from tuneprobe import paths
from tuneprobe.artifacts import write_json
from tuneprobe.encoders.source import encoder_facts
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, run


def main(encoder: EncoderName) -> None:
    """Write the hashes of the weights and of the tokenizer of ENCODER."""
    params = load_params()
    facts = encoder_facts(encoder, **params.encoder_source(encoder))
    if elsewhere := params.tuned_elsewhere(encoder):
        facts["tuned_elsewhere"] = encoder_facts(encoder, **elsewhere)
    write_json(paths.encoder(encoder), facts)


if __name__ == "__main__":
    run(main)
