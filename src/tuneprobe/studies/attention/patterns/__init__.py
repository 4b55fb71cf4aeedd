"""Classes of attention maps (Kovaleva et al. 2019, section 4.1)."""
