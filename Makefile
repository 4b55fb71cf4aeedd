# tuneprobe: `make repro` runs the study, `make test` proves it. Both do all the set-up.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
JOBS ?= 2
BIN := $(if $(filter /%,$(VENV)),$(VENV),$(CURDIR)/$(VENV))/bin
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools
# --no-compile: Python compiles what is imported, once, in place of all that is installed.
PIP := "$(BIN)/python" -m pip install --quiet --no-compile
LOCKED := $(PIP) --require-hashes --no-deps --no-build-isolation --requirement
UV_VERSION := 0.13.9
# Columns of `dvc exp show` that name files.
INPUTS := '.*\.(py|dvc|parquet)|data|examples.*|results.*|representations.*|checkpoints.*|training.*'
export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
# Servers beside Amazon's refuse the checksums that boto adds to parts of large files.
export AWS_REQUEST_CHECKSUM_CALCULATION ?= when_required
export AWS_RESPONSE_CHECKSUM_VALIDATION ?= when_required
export TOKENIZERS_PARALLELISM := false
# Some machines forbid it: then each of some 80 stages compiles torch, pandas and the rest anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup tools data repro recompute recorded record docs verify remote push show test lint types unit
.PHONY: bench notebook lock clean
.PHONY: exp-states exp-encoders exp-seeds exp-paper

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(INSTALLED)  ## make the virtual environment; every archive is checked against a lock file

# What builds the others comes first, then torch: a CPU wheel in PIP_FIND_LINKS if there is one, to
# which pip would prefer the index; else the index's. A CUDA build has libraries of its own, which
# are in no lock file: it names their versions, and the last but one line adds them.
$(INSTALLED): pyproject.toml requirements-build.lock requirements-torch.lock requirements.lock
	"$(PYTHON)" -m venv "$(VENV)"
	$(LOCKED) requirements-build.lock
	@$(LOCKED) requirements-torch.lock --no-index 2> /dev/null || $(LOCKED) requirements-torch.lock
	$(LOCKED) requirements.lock
	$(PIP) torch
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch "$@"

tools: $(TOOLS)  ## what tests and checks need beside it

$(TOOLS): $(INSTALLED) requirements-dev.lock
	$(LOCKED) requirements-dev.lock
	@touch "$@"

data: setup  ## generate the default corpus and fetch WordNet, checked against data.dvc
	tuneprobe data default

repro: data  ## run the whole pipeline, JOBS stages at a time; what is up to date is not run again
	@tuneprobe repro --jobs $(JOBS)
	@tuneprobe show
	@tuneprobe verify || true

recompute: data  ## run everything anew, so that no number comes from a cache
	@tuneprobe repro --jobs $(JOBS) --force

recorded: setup  ## bring the page and the result rows of the recorded run; nothing is computed
	tuneprobe pull --remote recorded

record: setup  ## make the run that is here the recorded one, to be committed
	tuneprobe record
	tuneprobe readme
	python docs/fill.py

docs: setup  ## fill the tables of docs/ from the rows in recorded/; nothing is computed
	python docs/fill.py

verify: setup  ## compare the result rows here with the recorded ones, within tolerances
	tuneprobe verify

remote: setup  ## share artifacts: URL=s3://bucket/prefix (or a folder, ssh://, webdavs://) [ENDPOINT=https://host]
	@test -n "$(URL)" || { echo "give the address: make remote URL=s3://bucket/prefix [ENDPOINT=https://host]" >&2; exit 2; }
	@# What an earlier address had (an endpoint, a key) may be refused at another kind of address.
	@! grep -qs 'remote "storage"' .dvc/config.local || dvc remote remove --local storage > /dev/null
	dvc remote modify --local storage url "$(URL)"
	$(if $(ENDPOINT),dvc remote modify --local storage endpointurl "$(ENDPOINT)")
	$(if $(REGION),dvc remote modify --local storage region "$(REGION)")
	@case "$(URL)" in \
	  s3:*) echo "keys: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or docs/storage.md" ;; \
	  webdav:* | webdavs:*) echo "needs pip install -e '.[webdav]'; user and password: docs/storage.md" ;; \
	  ssh:*) echo "needs pip install -e '.[ssh]'; user and key: docs/storage.md" ;; \
	esac; echo "then 'make push', elsewhere 'tuneprobe pull'"

push: setup  ## send the artifacts of this commit, and the records of all runs
	dvc push --run-cache

show: setup  ## the experiments of this checkout, side by side; without any, the numbers that are here
	@if [ -n "$$(dvc exp list --name-only)" ]; then dvc exp show --only-changed --drop $(INPUTS); else \
	echo "No experiment yet (tuneprobe run NAME key=value). What is here:"; tuneprobe show; fi

# Presets of experiments. Each queues its runs; `dvc queue start` runs them, two at a time.
STATES ?= random pretrained finetuned
ENCODERS ?= minilm-l6,bert-tiny,bert-mini,bert-small,bert-medium,bert-base
SEEDS ?= 13,14,15,16,17
QUEUE := dvc exp run --queue
START := echo "start the workers: dvc queue start --jobs 2; watch them: dvc queue status"

# What the papers used where the default run uses less; the corpora are fetched as in docs/data.md.
ENGLISH := english-pos,english-dep,english-ps-role,english-ps-fxn,english-trec-50
GLUE ?= mrpc,stsb,sst2,qqp,rte,qnli,mnli
PAPER := 'run.encoders=[bert-base]' 'pairwise.tasks=[natural-questions]' 'geometry.tasks=[$(ENGLISH)]' \
  'geometry.dynamics.tasks=[english-ps-role]' 'geometry.cross.tasks=[english-ps-fxn]' \
  'geometry.cross.tuned_on=[english-ps-role,english-pos]' 'attention.tasks=[$(GLUE)]' \
  'attention.pair_heads.tasks=[{task: english-dep, tuned_on: english-dep}]' \
  'change.tasks=[natural-questions-qa,$(ENGLISH),$(GLUE)]' 'change.erase.tasks=[english-pos,english-dep]' 'change.dynamics.tasks=[english-ps-role]' \
  prepare.pairs.boundary.train=10000 prepare.pairs.boundary.test=5000 \
  prepare.labels.train=null prepare.labels.test=null prepare.texts.train=null prepare.texts.test=null \
  finetune.max_questions=null evaluate.max_questions=null \
  finetune.epochs=2 finetune.batch=64 finetune.learning_rate=4.0e-5 \
  geometry.finetune.epochs=3 geometry.finetune.learning_rate=3.0e-4 \
  geometry.snapshot_every=5 geometry.classify.initialisations=5 \
  'geometry.classify.hidden=[[32,32],[32,64],[32,128],[32,256],[64,32],[64,64],[64,128],[64,256],[128,32],[128,64],[128,128],[128,256],[256,32],[256,64],[256,128],[256,256]]' \
  'geometry.classify.decays=[1.0e-7,1.0e-6,1.0e-5,1.0e-4,1.0e-3,1.0e-2,1.0e-1,1.0]' \
  attention.finetune.epochs=3 attention.finetune.learning_rate=5.0e-5 attention.maps.max_texts=1000

exp-states: setup  ## queue the same run, told from each state
	for focus in $(STATES); do $(QUEUE) -n $$focus -S focus=$$focus || exit 1; done
	@$(START)

exp-encoders: setup  ## queue one run of all encoders (the hub's need network)
	$(QUEUE) -n encoders -S 'run.encoders=[$(ENCODERS)]'
	@$(START)

exp-seeds: setup  ## queue one run of several seeds, with as many draws of random weights
	$(QUEUE) -n seeds -S 'run.seeds=[$(SEEDS)]' -S 'run.draws=[$(SEEDS)]' \
	  -S "change.seeds=[$$(echo $(SEEDS) | cut -s -d, -f2-)]"
	@$(START)

exp-paper: setup  ## queue the papers' corpora and grids, one run
	set -- $(PAPER); for setting do set -- "$$@" -S "$$setting"; shift; done; \
	  $(QUEUE) -n paper "$$@"
	@$(START)

test: lint  ## style, types and tests, types beside the tests
	@$(MAKE) --no-print-directory --jobs 2 types unit

lint: tools
	ruff check .
	ruff format --check .

types: tools
	mypy

# A file is tested by one process, which makes its fixtures once; two threads in each would fight.
unit: tools data
	OMP_NUM_THREADS=1 pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

notebook: setup  ## execute the examples of docs/library.md and write them as docs/library.ipynb
	python docs/notebook.py

bench: setup  ## every benchmark, printed as markdown rows
	for script in benchmarks/bench_*.py; do python $$script; done

lock: setup  ## write the lock files anew from pyproject.toml, with the hash of every archive
	"$(PYTHON)" -m venv "$(VENV)/lock"
	"$(VENV)/lock/bin/python" -m pip install --quiet uv==$(UV_VERSION)
	UV="$(VENV)/lock/bin/uv" PYTHON="$(BIN)/python" UPGRADE="$(UPGRADE)" .ci/lock

clean:  ## remove the virtual environment and scratch files
	rm -rf "$(VENV)" .cache .mypy_cache .ruff_cache .pytest_cache
