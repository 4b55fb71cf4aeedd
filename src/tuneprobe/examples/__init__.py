"""Examples: what is probed, as tables of texts, spans and labels, made of corpora."""
