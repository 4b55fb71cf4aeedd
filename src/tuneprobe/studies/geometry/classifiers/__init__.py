"""Classifier probes (Zhou & Srikumar 2022), with control labels and codelengths."""
