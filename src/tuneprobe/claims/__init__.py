"""Claims of papers, each tested by a stated rule: evidence, checks, verdicts."""
