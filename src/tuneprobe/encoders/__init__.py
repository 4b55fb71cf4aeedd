"""Encoders: loading, running, representing spans, checkpoints."""
