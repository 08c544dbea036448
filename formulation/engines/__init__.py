"""Run a built model under limits and report honestly: all solver quirks."""
