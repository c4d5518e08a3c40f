# What there is to do in this checkout. A new machine needs git, make and python3 (with venv); the rest is fetched.
# Everything lands in .venv/ and .lab/ here, and in one cache for the whole machine (see tests/lab/paths.py).

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.from-lock
LAB    := $(BIN)/python -m tests.lab
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help venv lint audit unit test demo bench lab lab-down lock clean
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## .venv/ with exactly what the lock file names, and the project itself

$(STAMP): requirements-dev.lock pyproject.toml
	@sh tests/lab/make-venv.sh $(PYTHON) $(VENV)
	@touch $@

lint: venv ## style, types, and the walls between the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: venv ## known vulnerabilities of what the lock files name
	$(LAB).audit requirements.lock requirements-dev.lock

unit: venv ## the fast tests; need nothing but Python
	$(BIN)/python -m pytest $(wildcard tests/unit tests/simulation) $(ARGS)

test: venv lint audit ## everything, on a real Docker Engine, Prometheus and Alertmanager; with CI set nothing is skipped
	$(LAB) run $(BIN)/python -m pytest $(ARGS)

demo: venv ## break a service and watch it being mended; ARGS=--yes answers for you
	$(BIN)/python -m tests.lab.demo $(ARGS)

bench: venv ## the daemon against a bare limit, paired in one run
	$(BIN)/python -m tests.bench $(ARGS)

lab: venv ## start and fill the lab, and leave it running
	$(LAB) up

lab-down: venv ## stop the Docker Engine, if the lab started it
	$(LAB) down

# The only target that asks for new versions. Both files follow from pyproject.toml; neither names an index.
lock: ## resolve pyproject.toml anew into the hashed lock files
	@sh tests/lab/make-lock.sh $(PYTHON)

clean: ## remove what this checkout made (not the machine's cache)
	rm -rf $(VENV) .lab .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
