"""Layers put back while an encoder is tuned: from which update on which layer matters."""
