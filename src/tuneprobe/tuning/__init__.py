"""Fine-tuning: heads, training sets, the training loop and what makes its steps cheap."""
