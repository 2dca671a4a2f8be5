# make serve   set up everything and run the assistant      (PORT=8000)
# make test    set up everything and pass the tests
# make check   lint, types, import rules
# make help    this list

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help serve test test-unit check format lock models bench clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# A stamp holds the hash of what was installed, so that a second run needs no network.
$(VENV)/.runtime: requirements/cpu.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vivavoce needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/cpu.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

serve: $(VENV)/.runtime
	$(BIN)/vivavoce serve --port $(PORT)

models: $(VENV)/.runtime
	$(BIN)/vivavoce models fetch

test: $(VENV)/.dev models
	$(BIN)/python -m pytest

test-unit: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not models and not browser"

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	$(BIN)/python -m pip install --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements/cpu.in -o requirements/cpu.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements/dev.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
