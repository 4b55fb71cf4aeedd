"""Ablation of heads and layers (Kovaleva et al. 2019, section 4.5)."""
