"""The page: one self-contained HTML file written from results."""
