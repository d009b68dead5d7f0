"""Where adapters are put into service: one module a target, and the proof that what is served is what was trained."""
