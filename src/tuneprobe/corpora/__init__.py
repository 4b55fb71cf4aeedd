"""One reader per upstream format."""
