# Everything runs in .venv, with the versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
TRAINER := .venv/trainer
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install trainer demo notebooks validate test check bench constraints clean

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(INSTALLED)  ## make .venv with the project and its tools

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) --editable '.[dev]'
	touch $@

trainer: $(TRAINER)  ## add torch and what else training needs (6 GB)

$(TRAINER): $(INSTALLED)
	$(PIP) --editable '.[dev,dev-train]'
	touch $@

demo: install  ## run the whole chain on a small web of our own, into demo/
	$(BIN)/python -m curation.demo --output demo

notebooks: demo  ## run the notebooks on what the demo made, into notebooks/*.ipynb
	WORK=$(CURDIR)/demo/work $(BIN)/jupytext --quiet --to ipynb --execute notebooks/*.py

validate: demo trainer  ## train a tiny model on what the demo made
	$(BIN)/python -m curation.demo.validate --output demo

test: trainer  ## run the tests, in two processes
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

check: install  ## formatting, lint, types, import rules
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: trainer  ## time us beside our peers, into benchmarks/results/
	$(PIP) --editable '.[bench]'
	$(BIN)/python -m benchmarks

constraints: install  ## resolve constraints.txt anew (needs the network)
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-annotate --no-header \
		--constraint constraints.in --upgrade --output-file constraints.txt

clean:  ## remove what make made
	rm -rf .venv demo
