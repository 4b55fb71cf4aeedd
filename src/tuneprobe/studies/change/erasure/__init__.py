"""Is what is encoded used? Linear information is erased, and the score of the task is read."""
