"""Say what an encoder is, in a file that every stage that reads the encoder depends on."""

from tuneprobe import paths
from tuneprobe.artifacts import write_json
from tuneprobe.encoders.source import checkpoint_steps, encoder_facts, weights_sha256
from tuneprobe.params import load_params
from tuneprobe.stage import EncoderName, run


def main(encoder: EncoderName) -> None:
    """Write the hashes of the weights, of each step too, and of the tokenizer of ENCODER."""
    params = load_params()
    facts = encoder_facts(encoder, **params.encoder_source(encoder))
    if elsewhere := params.tuned_elsewhere(encoder):
        facts["tuned_elsewhere"] = encoder_facts(encoder, **elsewhere)
    if folder := params.followed_elsewhere(encoder):
        found = checkpoint_steps(encoder, folder)
        facts["steps"] = {step: weights_sha256(path) for step, path in found.items()}
    write_json(paths.encoder(encoder), facts)


if __name__ == "__main__":
    run(main)
