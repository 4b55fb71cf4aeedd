"""Layers of one model put into the other: where the gain of tuning lies."""
