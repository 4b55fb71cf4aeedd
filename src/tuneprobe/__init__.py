"""tuneprobe: what fine-tuning changes inside a transformer encoder."""
