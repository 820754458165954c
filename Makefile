# Environment and everyday commands. `make` alone lists them.
#
# One environment, .venv, in layers, each pinned completely in a lock:
#   requirements.lock         what the service runs on
#   requirements-batch.lock   and what reading folders and buckets needs
#   requirements-train.lock   and what training and synthesis need
#   requirements-test.lock    and what tests and checks need
# A layer is installed again only when its lock is newer than its stamp in .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV   := .venv
PY     := $(VENV)/bin/python
CONFIG ?= serve_config.yaml
PORT   ?=
HUB    ?=
URL    ?=
DASHBOARD ?= http://127.0.0.1:8265
SETS   ?=
DATA   ?=
DEVICE ?=
JOBS   ?=
ARGS   ?=
IN     ?=
OUT    ?=

UV_VERSION := 0.13.8
# Python 3.11 under either of its usual names.
PYTHON ?= $(shell for name in python3.11 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)

# Checks and tests never reach for the network either.
OFFLINE := HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 YOLO_OFFLINE=1 YOLO_AUTOINSTALL=0 RAY_USAGE_STATS_ENABLED=0

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

##### Environment

# uv installs in parallel; pip, which honours every setting of this machine, is there if uv cannot.
# The locks are complete, so --no-deps is exact; it also keeps out opencv-python, which ultralytics
# asks for and which needs libGL. uv reads no pip configuration: the index settings are handed over.
define install
	pip_setting() { "$(PY)" -m pip config get "global.$$1" 2>/dev/null || true; }
	index="$${PIP_INDEX_URL:-$$(pip_setting index-url)}"
	certificates="$${SSL_CERT_FILE:-$${PIP_CERT:-$$(pip_setting cert)}}"
	[ -z "$$index" ] || export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}"
	[ -z "$$certificates" ] || export SSL_CERT_FILE="$$certificates"
	export UV_HTTP_TIMEOUT="$${UV_HTTP_TIMEOUT:-120}" PIP_DISABLE_PIP_VERSION_CHECK=1
	# Two commands at once, say `make serve` and `make test`, install one after the other. The lock is
	# ours alone: uv takes one on $(VENV)/.lock and would wait for us.
	exec 9> $(VENV)/.installing
	flock 9 2>/dev/null || true
	echo "Installing $(1) into $(VENV)"
	"$(PY)" -m uv pip install --quiet --python "$(PY)" --no-deps --requirements $(1) || {
		echo "uv could not install; trying pip" >&2
		"$(PY)" -m pip install --quiet --no-deps --requirement $(1)
	}
	# uv leaves compiling to the first import, which twenty processes of Ray would each do at once,
	# and at every start where PYTHONDONTWRITEBYTECODE is set. Templates that are no Python are skipped.
	"$(PY)" -m compileall -qq -j 0 $(VENV)/lib || true
	touch $@
endef

.ONESHELL:

$(VENV)/bin/uv:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 is needed; name one with make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	# Where Debian's python3.11-venv is missing, venv fails halfway and leaves a Python without pip.
	"$(PY)" -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	"$(PY)" -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || echo "uv is not to be had; pip will do" >&2

$(VENV)/.serve: requirements.lock | $(VENV)/bin/uv
	@$(call install,requirements.lock)

$(VENV)/.batch: requirements-batch.lock | $(VENV)/bin/uv
	@$(call install,requirements-batch.lock)

$(VENV)/.train: requirements-train.lock | $(VENV)/bin/uv
	@$(call install,requirements-train.lock)

$(VENV)/.test: requirements-test.lock | $(VENV)/bin/uv
	@$(call install,requirements-test.lock)

.PHONY: env lock
env: $(VENV)/.test ## create the environment with everything in it

lock: | $(VENV)/bin/uv ## resolve the locks again; versions in them are kept where pyproject.toml allows
	@compile() {
		"$(PY)" -m uv pip compile pyproject.toml --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
			--custom-compile-command "make lock" --output-file "$$@"
	}
	compile requirements.lock
	compile requirements-batch.lock --extra batch
	compile requirements-train.lock --extra train
	compile requirements-test.lock --extra batch --extra train --extra test

##### Service

.PHONY: serve
serve: $(VENV)/.serve ## run the service: CONFIG=file PORT=number HUB=1 (allow weights from hubs)
	@exec "$(PY)" -m serve_app.launch "$(CONFIG)" $(if $(PORT),--port $(PORT)) $(if $(HUB),--hub)

.PHONY: batch
batch: $(VENV)/.batch ## read a folder or bucket without a service: IN=place OUT=place ARGS="--format pdf"
	@$(OFFLINE) "$(PY)" -m serve_app.batch "$(IN)" "$(OUT)" $(ARGS)

# Ray's own commands ask for the token only when they are told that there is one.
.PHONY: status token
status: $(VENV)/.serve ## serve status and ray status of a running service: DASHBOARD=address
	@export RAY_AUTH_MODE="$${RAY_AUTH_MODE:-token}"
	"$(VENV)/bin/serve" status --address "$(DASHBOARD)"
	"$(VENV)/bin/ray" status

token: $(VENV)/.serve ## the token that the Ray dashboard asks for
	@RAY_AUTH_MODE=token "$(VENV)/bin/ray" get-auth-token

##### Checks and tests

.PHONY: test check check-config lint types audit test-unit test-models test-serve test-batch test-browser test-cluster
test: check ## all checks and tests
	@$(OFFLINE) "$(PY)" -m pytest $(ARGS)

check: check-config lint types audit

check-config: $(VENV)/.test ## every Serve config in the repository, key by key, or one: CONFIG=file
	@"$(PY)" -m serve_app.check_config $(if $(filter-out serve_config.yaml,$(CONFIG)),"$(CONFIG)")

lint: $(VENV)/.test ## ruff
	@"$(PY)" -m ruff check .
	@"$(PY)" -m ruff format --check --quiet .

types: $(VENV)/.test ## mypy --strict
	@"$(PY)" -m mypy

audit: $(VENV)/.test ## known vulnerabilities of what the service runs on; SKIPPED without a network
	@"$(PY)" -m benchmarks.audit requirements.lock

test-unit: $(VENV)/.test ## no Ray, no sockets: seconds
	@$(OFFLINE) "$(PY)" -m pytest tests/unit $(ARGS)

test-models: $(VENV)/.test ## real networks and weights
	@$(OFFLINE) "$(PY)" -m pytest tests/models $(ARGS)

test-serve: $(VENV)/.test ## one real Ray
	@$(OFFLINE) "$(PY)" -m pytest tests/serve $(ARGS)

test-cluster: $(VENV)/.test ## several nodes: the production configuration on logical GPUs, load, failures, updates
	@$(OFFLINE) "$(PY)" -m pytest tests/cluster $(ARGS)

test-batch: $(VENV)/.test ## the batch job: broken off, resumed, with documents that kill
	@$(OFFLINE) "$(PY)" -m pytest tests/batch $(ARGS)

test-browser: $(VENV)/.test ## the page, in a headless Chromium
	@$(OFFLINE) "$(PY)" -m pytest tests/browser $(ARGS)

##### Cluster: docs/operations.md

.PHONY: cluster-files capacity
cluster-files: $(VENV)/.serve ## render the parts of cluster/ that repeat others
	@"$(PY)" -m cluster.render

capacity: $(VENV)/.serve ## replicas and nodes for a load: ARGS="--pages-per-s 50 --node-price 2.5"
	@"$(PY)" -m cluster.capacity $(ARGS)

##### Measurements

# The labelled sets: their folder, and which of them.
SETS_OPTIONS = $(if $(DATA),--data "$(DATA)") $(if $(SETS),--sets "$(SETS)")

.PHONY: accuracy accuracy-crops bench rest load failures bench-long
accuracy: $(VENV)/.test ## score the labelled sets over HTTP, then crops: URL=address DATA=folder SETS=name,name JOBS=number
	@$(OFFLINE) "$(PY)" -m benchmarks.accuracy $(if $(URL),--url "$(URL)") $(SETS_OPTIONS) $(if $(JOBS),--jobs $(JOBS)) $(ARGS)
	$(OFFLINE) "$(PY)" -m benchmarks.crops $(SETS_OPTIONS)

accuracy-crops: $(VENV)/.test ## score recognition alone on labelled crops, beside Tesseract: ARGS="--engine trocr"
	@$(OFFLINE) "$(PY)" -m benchmarks.crops $(SETS_OPTIONS) $(ARGS)

bench: $(VENV)/.test ## speed beside the limit, a monolith, @serve.batch, Tesseract: CONFIG=file DEVICE=cuda ARGS=--quick
	@$(OFFLINE) "$(PY)" -m benchmarks.speed $(if $(filter-out serve_config.yaml,$(CONFIG)),"$(CONFIG)") $(if $(DEVICE),--device "$(DEVICE)") $(ARGS)

load: $(VENV)/.test ## stages scale by themselves under changing load, six minutes: ARGS="--short"
	@$(OFFLINE) "$(PY)" -m benchmarks.load scaling $(ARGS)

failures: $(VENV)/.test ## nodes die and configurations change under load, ten minutes: ARGS="--rounds 1"
	@$(OFFLINE) "$(PY)" -m benchmarks.load failures $(ARGS)

bench-long: $(VENV)/.test ## memory while a PDF of 300 pages is streamed: ARGS="--fakes --pages 300" or URL=address
	@$(OFFLINE) "$(PY)" -m benchmarks.long_document $(if $(URL),--url "$(URL)") $(ARGS)

rest: $(VENV)/.serve ## memory and processor time of a running service at rest
	@"$(PY)" -m benchmarks.rest $(ARGS)

##### Faults: docs/reliability.md has what they showed

.PHONY: chaos hostile soak
chaos: $(VENV)/.test ## kill, freeze and break parts of a service under load, compare every answer: ARGS="--only TEXT"
	@$(OFFLINE) "$(PY)" -m benchmarks.chaos $(ARGS)

hostile: $(VENV)/.test ## send 10000 damaged files and hostile requests: ARGS="--number N --seed S"
	@$(OFFLINE) "$(PY)" -m benchmarks.hostile $(ARGS)

soak: $(VENV)/.test ## half an hour of mixed traffic, then ten times as much: ARGS="--minutes M --overload M"
	@$(OFFLINE) "$(PY)" -m benchmarks.soak $(ARGS)

##### Training: every verb takes ARGS; docs/training.md has the commands behind the shipped weights

.PHONY: synth-fonts synth-texts synth-lines train-detection train-classification train-recognition
synth-fonts: $(VENV)/.train ## fetch the pinned fonts that training draws with
	@"$(PY)" -m training.synth fonts $(ARGS)

synth-texts: $(VENV)/.train ## fetch the pinned texts that training writes
	@"$(PY)" -m training.synth texts $(ARGS)

synth-lines: $(VENV)/.train ## render lines: ARGS="--number N --out DIR"
	@"$(PY)" -m training.synth lines $(ARGS)

train-detection: $(VENV)/.train ## train a line detector; ARGS as in python -m training.detection train --help
	@"$(PY)" -m training.detection train $(ARGS)

train-classification: $(VENV)/.train ## train a classifier of handwriting and print
	@"$(PY)" -m training.classification train $(ARGS)

train-recognition: $(VENV)/.train ## train a recogniser
	@"$(PY)" -m training.recognition train $(ARGS)

.PHONY: clean
clean: ## remove the environment and caches; data, weights and training runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
