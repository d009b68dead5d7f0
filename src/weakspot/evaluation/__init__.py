"""Whether an adapter helps: what it answers, how that compares, and the verdict."""
