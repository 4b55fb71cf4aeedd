"""The attention study (Kovaleva et al. 2019): maps of heads, streamed and measured."""
