# tuneprobe: `make repro` runs the study, `make test` proves it. Both do all the set-up.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
INSTALLED := $(VENV)/.installed
export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help setup data repro recompute show test lint types unit bench lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(INSTALLED)  ## make the virtual environment from the lock file

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

data: setup  ## generate the default corpus and fetch WordNet, checked against data.dvc
	tuneprobe data default

repro: data  ## run the whole pipeline; what is up to date is not run again
	dvc repro
	@tuneprobe show

recompute: data  ## run everything anew, so that no number comes from a cache
	dvc repro --force --no-run-cache

show: setup  ## the experiments of this checkout, side by side
	dvc exp show --only-changed --drop '.*\.(py|dvc|parquet)|data|examples.*|results.*|representations.*|checkpoints.*'

test: lint types unit  ## style, types and tests

lint: setup
	ruff check .
	ruff format --check .

types: setup
	mypy

unit: data
	OMP_NUM_THREADS=1 pytest --numprocesses 2  # two threads in each of two processes would fight

bench: setup  ## every benchmark, printed as markdown rows
	for script in benchmarks/bench_*.py; do python $$script; done

lock: setup  ## write the versions of the environment into constraints.txt
	pip freeze --exclude-editable | sed -E 's/\+cpu$$//' > constraints.txt

clean:  ## remove the virtual environment and scratch files
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache
