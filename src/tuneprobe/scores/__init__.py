"""Scores of tasks: answers of readers and labellers, and the metrics of each task."""
