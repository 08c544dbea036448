"""What is given: models, packages, scenarios; no costs."""
