# make headline   set everything up, solve the headline comparison, print its table
# make test       set everything up, lint, type-check, test
# make test-long  the tests that take minutes
# make paper      all tables and figures anew, from the runs in results/paper
# make experiments  the runs themselves (hours); what is there is not run again
# Needs python3 >= 3.11 (PYTHON=python3.12 picks another) and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.DELETE_ON_ERROR:
.PHONY: help install headline test test-long lint paper experiments bench clean

help:
	@sed -n 's/^# //p' Makefile

install: $(STAMP)

headline: $(STAMP)
	$(BIN)/chipsched headline

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -n $(WORKERS) -m "not long"

test-long: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) -m long

paper: $(STAMP)
	$(BIN)/python -m results.paper

# Heuristics use one core, engines two. The last command says what failed anywhere.
experiments: $(STAMP)
	for name in standalone proportional partition annealing genetic; do \
		$(BIN)/chipsched experiments paper --only "*/$$name" --jobs 2 --out results/paper; \
	done
	$(BIN)/chipsched experiments paper --out results/paper

bench: $(STAMP)
	$(BIN)/python -m results.bench
	$(BIN)/python -m results.bench_costs

# A venv whose interpreter is gone or that was left half-made is made anew.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chipsched needs Python 3.11 or newer: make PYTHON=/path/to/python")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
