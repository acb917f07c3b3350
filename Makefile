SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
SOURCE ?= samples
OUTPUT ?= out
PORT ?= 8080
# One more than there are processors: tests wait for processes and servers a third of their time.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n > 3 ? 4 : n + 1)))
KILLS ?= 500
SIZE ?= quick
BENCH ?=
KIND ?= all
SEED ?= 0

BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(READY): $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(DEV_READY): $(READY) pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

.PHONY: install
install: $(READY) ## Set up a virtual environment with the converter in it

# Not every shell expands the ~ of SOURCE=~/scans: zsh and sh hand it on as it is.
.PHONY: install-dev
install-dev: $(DEV_READY) ## The same, with all that tests and checks need

.PHONY: hooks
hooks: $(DEV_READY) ## Have style, types, layers, unused code and spelling checked before each commit
	$(BIN)/prek install

.PHONY: run
run: export SOURCE := $(SOURCE)
run: export OUTPUT := $(OUTPUT)
run: $(READY) ## Convert SOURCE (the samples) into OUTPUT (out/), offline
	$(BIN)/batch-converter convert --engine local \
		"$${SOURCE/#\~\//$$HOME/}" --output "$${OUTPUT/#\~\//$$HOME/}"

.PHONY: serve
serve: $(READY) ## Run the API-compatible service on PORT (8080)
	$(BIN)/batch-converter serve --port $(PORT)

.PHONY: test
test: $(DEV_READY) lint types imports unused spelling ## Style, types, layers, unused code, spelling and all tests that are not slow
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not slow'

.PHONY: check
check: lint types imports unused spelling ## All of it, slow tests too: what CI runs
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

.PHONY: lint
lint: $(DEV_READY) ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(DEV_READY) ## Check types, strictly
	$(BIN)/mypy

.PHONY: imports
imports: $(DEV_READY) ## Check the direction of imports
	$(BIN)/lint-imports

.PHONY: unused
unused: $(DEV_READY) ## Look for code that nothing uses, or nothing but tests
	$(BIN)/vulture
	$(BIN)/vulture batch_converter benchmarks distribution samples

.PHONY: spelling
spelling: $(DEV_READY) ## Check the spelling of pages, messages and comments
	$(BIN)/codespell batch_converter benchmarks contrib distribution docs samples tests \
		*.md *.toml Makefile

# Apart from `check`: traced, the tests take half as long again.
.PHONY: cov
cov: $(DEV_READY) ## Run all tests and measure branch coverage, before a release
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(JOBS) --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: test-unit
test-unit: $(DEV_READY) ## Run the quick tests of single modules and of the engines' contract
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not slow' tests/unit tests/contract

.PHONY: acceptance
acceptance: $(DEV_READY) ## Run the installed command as a process
	$(BIN)/python -m pytest tests/acceptance

.PHONY: soak
soak: $(DEV_READY) ## Kill runs of KIND (all) KILLS (500) times at random moments, and resume
	$(BIN)/python -m tests.soak --kills $(KILLS) --seed $(SEED) \
		$(addprefix --kind ,$(filter-out all,$(KIND)))

.PHONY: bench
bench: $(DEV_READY) ## Measure (SIZE=quick: five minutes; full: two to three hours, into RESULTS.md); BENCH=names
	$(BIN)/python -m benchmarks --size $(SIZE) $(BENCH)

.PHONY: format
format: $(DEV_READY) ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: man
man: $(DEV_READY) ## Make the man pages; wheel, sdist and `pip install .` then have them
	$(BIN)/python -m distribution.man_pages build/man

.PHONY: docs
docs: $(DEV_READY) ## Build the documentation as a site in build/docs/site; each warning is an error
	$(BIN)/python -m distribution.site build/docs

.PHONY: dist
dist: man ## Build wheel and sdist with man pages, and try the wheel with each extra
	rm -rf dist
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m distribution.trial dist/*.whl

.PHONY: clean
clean: ## Remove what was built and measured
	rm -rf build dist out .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
