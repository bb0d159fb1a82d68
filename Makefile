# `make` lists the targets. Everything is installed into .venv from requirements.txt, checked against its hashes.

VENV        ?= .venv
PYTHON      ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
                   $$python -c '$(IS_NEW_ENOUGH)' 2>/dev/null && { echo $$python; break; }; done)
API_HOST    ?= 0.0.0.0
API_PORT    ?= 19000
CONCURRENCY ?= 2
QUEUES      ?=
ARGS        ?=
COMPOSE     ?= $(shell docker compose version > /dev/null 2>&1 && echo docker compose || echo docker-compose)

# Only for what runs here: containers have a Redis of their own.
api worker flower: export REDIS_URL ?= redis://localhost:6379
# Every process would compile all that it imports, which takes as long again as the rest of its start.
unexport PYTHONDONTWRITEBYTECODE

IS_NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
BIN           = $(VENV)/bin
INSTALLED     = $(VENV)/.installed
PAGE          = jobtracker/server/page/.built-from
PAGE_SOURCES  = $(shell find web -name node_modules -prune -o -type f -print)
DOCS_VENV      = $(VENV)-docs
DOCS_INSTALLED = $(DOCS_VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install page page-types demo up api worker flower build run dev upgrade rollback stop clean logs test test-thorough test-all test-bench test-compose soak chaos lint format bench quality lock docs screenshots
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## Install everything into .venv (PYTHON=python3.x, VENV=folder: another interpreter, beside it)

page: $(INSTALLED) $(PAGE) ## Build the page that the API shows, unless its sources in web/ are as they were

page-types: $(INSTALLED) ## Write the page's types of the API's answers anew, from its OpenAPI document
	@$(BIN)/python web/toolchain.py api

demo: $(INSTALLED) $(PAGE) ## Run a document job with two sub-jobs from start to end, with all that it needs
	@$(BIN)/jobtracker demo $(ARGS)

up: $(INSTALLED) $(PAGE) ## Start a store, a worker and the API on port 19000, until Ctrl-C (ARGS="--help" for the options)
	@$(BIN)/jobtracker up $(ARGS)

api: $(INSTALLED) $(PAGE) ## Run the API alone, against REDIS_URL (API_HOST=, API_PORT=, API_WORKERS=)
	@API_HOST='$(API_HOST)' API_PORT='$(API_PORT)' exec $(BIN)/python -m api.main

worker: $(INSTALLED) ## Run a worker alone, against REDIS_URL (QUEUES=a,b CONCURRENCY=4)
	@$(BIN)/python -m celery -A workers.app worker --loglevel INFO --concurrency '$(CONCURRENCY)' \
	    $(if $(QUEUES),--queues '$(QUEUES)') $(ARGS)

flower: $(INSTALLED) ## Run Flower alone, against REDIS_URL (FLOWER_PORT=5555 FLOWER_BASIC_AUTH=user:password)
	@$(BIN)/python -m jobtracker.local.flower

# -- with Docker: these need nothing else. docs/how-to/docker-compose.md says more.

EVERYTHING = $(COMPOSE) --profile '*'
# What the images are labelled with; the version is a tag as well.
LABELS     = JOBTRACKER_VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
    JOBTRACKER_REVISION="$$(git describe --always --dirty --abbrev=40 --exclude '*' 2> /dev/null)"
# Of an image that was built anew, the older one has no name; it goes unless a container has it.
PRUNE      = docker image prune --force --filter label=jobtracker.image > /dev/null
# These stay in .env if they are given to make: `make run WORKERS=4`.
KEPT       = $(foreach name,WORKERS API_REPLICAS,$(if $(filter command,$(origin $(name))),$(name)=$($(name))))

build: engine ## Build the images, for Docker Compose
	@$(LABELS) $(COMPOSE) build $(ARGS)
	@$(PRUNE)

run: engine kept password ## Start all in containers, in the background (WORKERS=4: so many, from now on)
	@$(LABELS) $(COMPOSE) up --detach --wait $(ARGS) || { \
	    $(COMPOSE) logs --no-log-prefix --tail 20 settings >&2; \
	    echo 'Not everything runs: the lines above or make logs say why. make stop ends what does.' >&2; \
	    echo '(A port that is taken: API_PORT and FLOWER_PORT choose others.)' >&2; exit 1; }
	@$(PRUNE)
	@echo "API     http://$$($(COMPOSE) port listener 19000 | sed 's/^0\.0\.0\.0/localhost/')/docs"
	@flower=$$($(COMPOSE) port flower 5555 2> /dev/null) && [ -n "$$flower" ] || exit 0; \
	    echo "Flower  http://$$flower (user and password: FLOWER_BASIC_AUTH in .env or the environment)"

dev: engine kept password ## Build and run all in containers, with their logs, until Ctrl-C
	@$(LABELS) $(COMPOSE) up --build $(ARGS)

upgrade: engine build ## Build, and replace API and workers one by one: no request is refused, running tasks end first
	@COMPOSE='$(COMPOSE)' deploy/upgrade.sh
	@$(PRUNE)

rollback: engine ## Replace API and workers one by one by the images that they had before the last upgrade
	@COMPOSE='$(COMPOSE)' deploy/upgrade.sh rollback

stop: engine ## Stop the containers; running tasks go back to their queue, and what is stored stays
	@$(EVERYTHING) stop $(ARGS)

clean: engine ## Remove the containers and the volumes, with all jobs in them
	@echo 'Removing the containers, their networks, and the volumes with all jobs. The images and .env stay.'
	@$(EVERYTHING) down --volumes --remove-orphans

logs: engine ## Follow the logs of the containers (ARGS=worker for those of one service)
	@$(EVERYTHING) logs --follow --tail 100 $(ARGS)

.PHONY: engine
engine:
	@case "$$($(COMPOSE) version --short 2> /dev/null)" in ''|v1.*|1.*) \
	    echo 'This needs Docker with Compose 2: https://docs.docker.com/engine/install' >&2; \
	    echo '(Debian 13: apt install docker.io docker-cli docker-compose docker-buildx)' >&2; exit 1;; esac
	@docker info > /dev/null 2>&1 || { \
	    echo 'The Docker engine does not answer: start it, and let your user use it (group docker).' >&2; exit 1; }

.PHONY: kept
kept:
	@umask 077; for each in $(KEPT); do \
	    { grep -v "^$${each%%=*}=" .env 2> /dev/null; echo "$$each"; } > .env.new; mv .env.new .env; \
	    echo "Wrote into .env, for Docker Compose: $$each"; done

# The first time, Flower is wanted, and gets a password.
.PHONY: password
password:
	@umask 077; add() { { [ -z "$$(tail -c 1 .env 2> /dev/null)" ] || echo; echo "$$1"; } >> .env; \
	        echo "Wrote into .env, for Docker Compose: $$1"; }; \
	    [ -n "$${COMPOSE_PROFILES+set}" ] || grep -qs '^COMPOSE_PROFILES=' .env || add COMPOSE_PROFILES=flower; \
	    case ",$${COMPOSE_PROFILES-$$(sed -n 's/^COMPOSE_PROFILES=//p' .env | tail -n 1)}," in *,flower,*) \
	    [ -n "$$FLOWER_BASIC_AUTH$$FLOWER_BASIC_AUTH_FILE" ] || grep -qsE '^FLOWER_BASIC_AUTH(_FILE)?=.' .env || \
	        add "FLOWER_BASIC_AUTH=admin:$$(LC_ALL=C tr -dc A-Za-z0-9 < /dev/urandom | head -c 24)";; esac

# --

test: $(INSTALLED) $(PAGE) ## Run the tests; they start the servers they need (ARGS="-k name")
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-thorough: $(INSTALLED) $(PAGE) ## Run the long tests, and those of what fails meanwhile (ARGS="-k name")
	@$(BIN)/python -m pytest -n 4 --dist loadgroup -m thorough $(ARGS)

test-all: test test-thorough ## Run all tests

test-bench: $(INSTALLED) ## Run each part of the benchmark once, small
	@$(BIN)/python -m pytest -n 2 tests/bench/check_bench.py $(ARGS)

test-compose: $(INSTALLED) engine ## Build the image and try it in containers of its own, which it removes in the end
	@COMPOSE='$(COMPOSE)' $(BIN)/python -m pytest -v tests/compose/check_stack.py tests/compose/check_monitoring.py $(ARGS)

soak: $(INSTALLED) engine ## Build the images and load them for half an hour, with upgrades, kills and restarts (ARGS="--help")
	@COMPOSE='$(COMPOSE)' PYTHONPATH=tests exec $(BIN)/python -m soak $(ARGS)

chaos: $(INSTALLED) ## Kill and pause all of it at random, then compare each job with what its task wrote down (ARGS="--seed 1")
	@PYTHONPATH=tests exec $(BIN)/python -m chaos $(ARGS)

lint: $(INSTALLED) ## Check style, types, the direction of imports, the Lua (with luacheck, Debian's lua-check), and the page
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python .ci/lint_lua.py
	@$(BIN)/python web/toolchain.py api --check
	@$(BIN)/python web/toolchain.py npm run --silent verify

format: $(INSTALLED) ## Put the code into the house style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format
	@$(BIN)/python web/toolchain.py npm run --silent format

bench: $(INSTALLED) ## Measure what tracking costs (ARGS="--help" for the options)
	@$(BIN)/python -m bench $(ARGS)

quality: $(INSTALLED) ## Measure what the sample workers find in the gold corpus (ARGS=--errors: what is wrong in its open half)
	@$(BIN)/python -m bench quality $(ARGS)

screenshots: $(INSTALLED) $(PAGE) ## Take the pictures of the page for the documentation, in Chromium (Debian's chromium)
	@PYTHONPATH=.:tests $(BIN)/python docs/screenshots.py

docs: $(INSTALLED) $(DOCS_INSTALLED) ## Build the documentation into build/site; a broken link is an error
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --clean --strict $(ARGS)
	@! grep -rlE '<(script|link|img|iframe)[^>]* (src|href)="(https?:)?//' build/site --include='*.html' || { \
	    echo 'These pages load something from another host.' >&2; exit 1; }
	@echo 'Open build/site/index.html by: $(BIN)/python -m http.server --directory build/site 8000'

lock: $(INSTALLED) ## Write both requirements.txt anew from pyproject.toml (ARGS="--upgrade" for newer versions)
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --all-extras --group dev \
	    $(ARGS) pyproject.toml --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --group docs \
	    $(ARGS) --output-file docs/requirements.txt

# Not --quiet: --strict counts the warnings that are logged, and quiet logs none.
# What builds the site has an environment of its own, so that `make test` need not install it.
$(DOCS_INSTALLED): docs/requirements.txt | $(INSTALLED)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(DOCS_VENV)
	@VIRTUAL_ENV=$(DOCS_VENV) $(BIN)/uv pip sync --quiet --require-hashes docs/requirements.txt
	@touch $@

$(PAGE): $(PAGE_SOURCES) | $(INSTALLED)
	@$(BIN)/python web/toolchain.py build

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
