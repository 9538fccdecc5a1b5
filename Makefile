# Every target is described by `make help`. Tools are the project's own, from .venv.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

EXTRAS ?= airflow,serve,sinks,dev
TESTS ?= not slow and not docker
WORKERS ?= logical
SOURCE ?=
LOOP ?=
BIN := .venv/bin
FROM_SOURCE = $(if $(SOURCE),--source "$(SOURCE)")
PARALLEL = --numprocesses $(WORKERS) --maxprocesses 4 --no-loadscope-reorder
COMPILE := $(or $(wildcard $(BIN)/uv),uv) pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	--generate-hashes --no-header

.PHONY: help setup demo up down test test-all check format bench lock rooms images clean

help: ## Show what there is to do.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.complete ## Make .venv from the lock, hashes verified (EXTRAS=airflow,serve,sinks,dev).

.venv/.complete: pyproject.toml requirements.lock .ci/setup .ci/install_locked
	@.ci/setup "$(EXTRAS)"
	@touch $@

demo: setup ## Run the whole pipeline over some days and show feeds (SOURCE=DIR for KuaiRand, LOOP=1).
	@$(BIN)/phoenix demo $(FROM_SOURCE) $(if $(LOOP),--loop)

up: setup ## Start Airflow with its UI on the newest demo, or on that of SOURCE=DIR.
	@$(BIN)/phoenix up $(FROM_SOURCE)

down: ## Stop what `make up` started.
	@$(BIN)/phoenix down

test: setup ## Run the tests without long sweeps and images (WORKERS=0: one after the other).
	@$(BIN)/pytest $(PARALLEL) -m "$(TESTS)"

test-all: setup ## Run all tests, the long sweeps and the image builds included.
	@$(BIN)/pytest $(PARALLEL)

check: setup ## Check style, format, types and the architecture.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --select AIR3 dags
	$(BIN)/pyright
	$(BIN)/pytest tests/architecture

format: setup ## Repair style and format where a tool can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure what is slow against its limit or a peer, one JSON object a line.
	@$(BIN)/python -m benchmarks

lock: ## Refresh requirements.lock after a change of pyproject.toml (ARGS=--upgrade for all).
	@$(COMPILE) --quiet $(ARGS) --output-file requirements.lock

rooms: setup ## Draw the rooms of the code and the imports between them (docs/rooms.svg).
	@$(BIN)/python -m tests.architecture.draw_rooms docs/rooms.svg

images: ## Build the images `component` and `airflow` with Docker.
	@.ci/images

clean: ## Remove caches and build output; .venv and var/ stay.
	@rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
