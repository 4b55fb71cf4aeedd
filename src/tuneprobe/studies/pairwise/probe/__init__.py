"""The pairwise study (Cai et al. 2020)."""
