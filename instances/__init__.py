"""What is given: models, packages, options; files, their checks, their identity."""
