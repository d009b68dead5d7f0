"""The verbs, one file each: collect, process, validate, train, evaluate, deploy."""
