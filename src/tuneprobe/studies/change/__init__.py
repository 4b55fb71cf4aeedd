"""What fine-tuning changed, where, and whether it matters."""
