"""Examples: their domains, their splits, near-duplicates, and the quality of answers."""
