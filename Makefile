# The few commands a newcomer needs. `make` alone lists them.
# Needs: python3 >= 3.11 with venv (PYTHON=... names another one), and a package index that pip can reach.

PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8080
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help serve test chaos soak bench lint types format generate setup lock wheels breaking clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: setup-run ## start the quickstart's agent, ask it a question, and go on serving (ONCE=1: stop after the answer)
	@$(BIN)/python scripts/serve_demo.py $(if $(ONCE),--once) --port $(PORT)

test: setup ## run every test
	@scripts/databases.sh || true  # the tests that need what it could not get fail, and say so
	@scripts/sandbox.sh || true
	@scripts/plugins.sh || true
	$(BIN)/pytest --ignore tests/chaos -n $(WORKERS) --dist loadfile --no-loadscope-reorder --maxprocesses 4 --session-timeout 1500

# Kills processes on purpose, for half an hour; what it finds is found again with its SEED.
POINTS ?= 50
SEED := $(or $(SEED),$(shell date +%s))
CHAOS := $(BIN)/pytest tests/chaos -n 2 --dist loadfile --session-timeout 7200
chaos: setup ## kill replicas at random, POINTS=50 times at each point on each database, as SEED says
	@scripts/databases.sh || true
	HECTOR_CHAOS_SEED=$(SEED) HECTOR_CHAOS_POINTS=$(POINTS) $(CHAOS)
	HECTOR_CHAOS_SEED=$(SEED) HECTOR_CHAOS_POINTS=1 HECTOR_CHAOS_LEASE=15 $(CHAOS) -k Kills

# What leaks a little leaks visibly when it is done often enough.
LIVES ?= 1000
soak: setup ## start and stop a plugin LIVES=1000 times, and look for what is left
	HECTOR_SOAK_LIVES=$(LIVES) $(BIN)/pytest tests/hector_plugin_host/test_endings.py -k lives --session-timeout 7200

bench: setup ## measure speed and memory against a mock model, some ten minutes (ARGS=--quick: one or two; ARGS=--help)
	@$(BIN)/python bench $(ARGS)

lint: types ## check style, types, imports and contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/buf lint
	$(BIN)/python scripts/frozen_contracts.py
	scripts/check_generated.sh build/gen

# Tests need not be typed; those that are, are checked.
TYPED := services gateway plugins/hector_plugin plugins/hector_plugin_host plugins/hatch_build.py proto/generate.py scripts tests/house

types: setup ## check types alone
	$(BIN)/mypy $(TYPED)

format: setup ## rewrite the code in the project's style
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

generate: setup ## make proto/gen anew from proto/, and the reference pages from the code
	$(BIN)/python proto/generate.py
	$(BIN)/python scripts/record_contracts.py
	$(BIN)/python scripts/write_cli_reference.py
	$(BIN)/python scripts/write_config_reference.py

setup: ## make .venv from the locks (quick when nothing changed)
	@$(PYTHON) scripts/setup.py dev

.PHONY: setup-run
setup-run:
	@$(PYTHON) scripts/setup.py run

lock: setup ## compile requirements/ from the pyproject files (UPGRADE=1: newest of everything)
	scripts/lock.sh

wheels: setup ## build the sdists and wheels of hector and hector-plugin into dist/
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist plugins
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist .

# Not part of .ci/run until hector.*.v1 is declared frozen: after plugins in five languages have tried it.
breaking: setup ## compare the contracts with those on main
	$(BIN)/buf breaking --against '.git#branch=main'

clean: ## remove everything that can be made again
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
