"""The straight line between the weights of two tunings under other seeds."""
