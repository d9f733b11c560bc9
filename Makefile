# make serve | test | check | bench | models | lock | licences | clean
# make GPU=1 serve: with onnxruntime for NVIDIA GPUs (Linux, x86-64); see docs/gpu.md. The same for the other targets.
# Needs make, and Python 3.11 or newer as python3 (or another one: make PYTHON=python3.12 serve).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# One set of versions for every Python from 3.11 on: upper bounds of a backport that newer ones no longer need are ignored.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  --ignore-requires-python
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --no-config --universal --python-version 3.11 \
  --fork-strategy fewest --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
  --no-emit-package docopt
# docopt: only num2words' own command line wants it, and it would have to be built.

# onnxruntime and onnxruntime-gpu own the same files: before one is installed both are removed, unless it alone is there.
ifdef GPU
ifneq ($(shell uname -sm),Linux x86_64)
$(error GPU=1 needs Linux on x86-64: onnxruntime-gpu and CUDA come for nothing else)
endif
LOCK := requirements-gpu.lock
FLAVOUR := -gpu
OTHER := onnxruntime
else
LOCK := requirements.lock
FLAVOUR :=
OTHER := onnxruntime-gpu
endif
RUNTIME := $(VENV)/.runtime$(FLAVOUR)
DEV := $(VENV)/.dev$(FLAVOUR)
STAMPS := $(addprefix $(VENV)/,.runtime .dev .runtime-gpu .dev-gpu)
SWITCH = if $(BIN)/python -m pip show --quiet $(OTHER) 2>/dev/null; then \
  $(BIN)/python -m pip uninstall --quiet --yes onnxruntime onnxruntime-gpu; rm -f $(STAMPS); fi

.PHONY: serve test check bench models lock licences clean
.DEFAULT_GOAL := serve

serve: $(RUNTIME)
	@exec $(BIN)/python -m server serve

# The suite runs the real weights, the optional ones too; what cannot be had here (Kokoro needs npm) its tests name.
# Much of it waits for speech to be spoken and for processes to start, so two run side by side: make test WORKERS=0 for one.
test: $(DEV) $(VENV)/.peers
	-@$(BIN)/python -m media.models fetch --all
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV)
	$(BIN)/python -m tests.bench $(ARGS)

models: $(RUNTIME)
	$(BIN)/python -m media.models fetch $(ARGS)

licences: $(DEV)
	$(BIN)/python -m tests.licences write

# The newest versions that pyproject.toml allows; without touching what is locked where that still fits: make lock UPGRADE=
lock: UPGRADE ?= --upgrade
lock: $(DEV)
	$(COMPILE) $(UPGRADE) --output-file requirements.lock
	$(COMPILE) $(UPGRADE) --group gpu --constraints requirements.lock --no-emit-package onnxruntime \
	  --output-file requirements-gpu.lock
	$(COMPILE) $(UPGRADE) --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Visavis needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)."; \
	  echo "Name another one like this: make PYTHON=python3.12 serve"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment."; exit 1; }

$(RUNTIME): $(LOCK) | $(VENV)/pyvenv.cfg
	@echo "Installing Python packages into $(VENV) (a minute or two, only when $(LOCK) has changed) …"
	@$(SWITCH)
	@$(INSTALL) --quiet --requirement $(LOCK)
	@touch $@

# What development needs includes what running needs.
$(DEV): requirements-dev.lock $(LOCK) | $(VENV)/pyvenv.cfg
	@echo "Installing Python packages into $(VENV) (a minute or two, only when a lock file has changed) …"
	@$(SWITCH)
	@$(INSTALL) --quiet --requirement requirements-dev.lock
ifdef GPU
	@$(SWITCH)
	@$(INSTALL) --quiet --requirement $(LOCK)
endif
	@touch $@ $(RUNTIME)

# Servers that the tests talk to and that cannot live in our own environment.
$(VENV)/.peers: tests/peers/requirements-s3.txt | $(DEV)
	@echo "Installing the tests' S3 server into $(VENV)/peers (half a minute, only when its lock file has changed) …"
	@$(PYTHON) -m venv --clear --without-pip $(VENV)/peers
	@$(BIN)/python -m pip --python $(VENV)/peers/bin/python install --disable-pip-version-check --quiet --no-deps \
	  --only-binary :all: --require-hashes --ignore-requires-python --requirement tests/peers/requirements-s3.txt
	@touch $@
