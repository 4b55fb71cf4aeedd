"""Numbers that runs are compared by, and what is computed from result rows for them."""
