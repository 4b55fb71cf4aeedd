"""Encoders: loading, running, representing spans."""
