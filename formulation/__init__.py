"""The optimisation problem: statement, semantics, engines, checker."""
