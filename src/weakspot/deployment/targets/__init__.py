"""Where an adapter can be put into service: one module a target."""
