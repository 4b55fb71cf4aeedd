"""tuneprobe: what fine-tuning changes inside a transformer encoder."""

import os
import sys

if not sys.stderr.isatty():  # where transformers and the hub would draw their bars all the same
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
