"""The geometry study (Zhou & Srikumar 2022): clusters, distances of hulls, similarity, dynamics."""
