# `make` lists the targets. Everything is installed into .venv from requirements.txt, checked against its hashes.

VENV        ?= .venv
PYTHON      ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
                   $$python -c '$(IS_NEW_ENOUGH)' 2>/dev/null && { echo $$python; break; }; done)
REDIS_URL   ?= redis://localhost:6379
API_HOST    ?= 0.0.0.0
API_PORT    ?= 19000
CONCURRENCY ?= 2
QUEUES      ?=
ARGS        ?=

export REDIS_URL

IS_NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
BIN           = $(VENV)/bin
INSTALLED     = $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo up api worker flower test lint format bench lock
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## Install everything into .venv (PYTHON=python3.x, VENV=folder: another interpreter, beside it)

demo: $(INSTALLED) ## Run a document job with two sub-jobs from start to end, with all that it needs
	@$(BIN)/jobtracker demo $(ARGS)

up: $(INSTALLED) ## Start a store, a worker and the API on port 19000, until Ctrl-C (ARGS="--help" for the options)
	@$(BIN)/jobtracker up $(ARGS)

api: $(INSTALLED) ## Run the API alone, against REDIS_URL (API_HOST=, API_PORT=)
	@API_HOST='$(API_HOST)' API_PORT='$(API_PORT)' $(BIN)/python -m api.main

worker: $(INSTALLED) ## Run a worker alone, against REDIS_URL (QUEUES=a,b CONCURRENCY=4)
	@$(BIN)/python -m celery -A workers.app worker --loglevel INFO --concurrency '$(CONCURRENCY)' \
	    $(if $(QUEUES),--queues '$(QUEUES)') $(ARGS)

flower: $(INSTALLED) ## Run Flower alone, against REDIS_URL (FLOWER_PORT=5555 FLOWER_BASIC_AUTH=user:password)
	@$(BIN)/python -m jobtracker.flower

test: $(INSTALLED) ## Run the tests; they start the servers they need (ARGS="-k name")
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(INSTALLED) ## Check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## Put the code into the house style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(INSTALLED) ## Measure what tracking costs (ARGS="--help" for the options)
	@$(BIN)/python -m bench $(ARGS)

lock: $(INSTALLED) ## Write requirements.txt anew from pyproject.toml (ARGS="--upgrade" for newer versions)
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --all-extras --group dev \
	    $(ARGS) pyproject.toml --output-file requirements.txt

# uv itself is one of the locked packages: pip installs that one, and uv the rest.
$(INSTALLED): requirements.txt pyproject.toml
	@'$(PYTHON)' -c '$(IS_NEW_ENOUGH)' 2>/dev/null || { \
	    echo 'jobtracker needs Python 3.11 or newer: install it, or name it by make PYTHON=/path/to/python3' >&2; exit 1; }
	@test -x $(BIN)/pip || '$(PYTHON)' -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
