# Everything runs in .venv, with the versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
TRAINER := .venv/trainer
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install trainer demo notebooks validate test test-long dist cluster-test cluster-test-short cluster-test-all check bench constraints clean

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

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
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m 'not long' --ignore tests/cluster

test-long: trainer  ## the tests that this leaves out: minutes each
	$(BIN)/python -m pytest -m long --ignore tests/cluster

dist: install  ## the wheel, and an environment for the workers of a cluster, into dist/
	rm -rf dist
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	$(PYTHON) -m venv --without-pip dist/env
	$(BIN)/pip --python dist/env/bin/python install --quiet --disable-pip-version-check --constraint constraints.txt \
		"$$(echo dist/*.whl)[s3,segment]"
	$(BIN)/pip --python dist/env/bin/python uninstall --quiet --yes pyspark py4j  # every cluster has its own
	dist/env/bin/python -I -m curation.core.ready  # compiles the kernels into it, and not into the checkout
	tar --create --directory dist/env . | $(BIN)/python -m isal.igzip -1 -c > dist/env.tar.gz  # as gzip, but quick
	rm -rf dist/env

cluster-test: dist  ## a Spark cluster on loopback: every job, and two faults
	$(BIN)/python -m pytest tests/cluster -m 'not long'

cluster-test-short: dist  ## what CI runs of that: the chain, and two faults
	$(BIN)/python -m pytest tests/cluster -m short

cluster-test-all: dist  ## all faults, in the middle of every step
	$(BIN)/python -m pytest tests/cluster

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
	rm -rf .venv demo dist
