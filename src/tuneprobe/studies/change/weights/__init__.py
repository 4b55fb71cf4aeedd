"""The weights before and after: how far and in which directions they moved."""
