"""Fine-tuning: heads, training sets, the training loop, what makes its steps cheap, checkpoints."""
