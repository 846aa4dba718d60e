# Every target works from a fresh clone: what needs the virtual environment makes it first.
PYTHON ?= python3.13
BIN := .venv/bin
LOCK := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile pyproject.toml --quiet --generate-hashes \
	--strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.PHONY: help .venv demo demo-check compose-check test lint format bench lock

help:
	@echo "make demo        try Syncify with a simulated Spotify; prints the address to open"
	@echo "make demo-check  the same without a person: signs in, syncs, compares"
	@echo "make compose-check  starts, kills, upgrades and removes the containers; needs Docker"
	@echo "make test        all tests"
	@echo "make lint        ruff, mypy, template and migration checks; make format corrects what it can"
	@echo "make bench       benchmarks"
	@echo "make lock        pin the requirements anew; make lock UPGRADE=1 moves them to the newest"

.venv: .venv/installed

.venv/installed: requirements-dev.txt .python-version
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 12))" || { \
		echo "Syncify needs Python 3.13 (3.12 will do), and '$(PYTHON)' is not one." >&2; \
		echo "Install it, or name another: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: .venv
	$(BIN)/python -m syncify.demo

demo-check: .venv
	$(BIN)/python -m syncify.demo --check

compose-check: .venv
	$(BIN)/python -m scripts.compose_check

test: .venv
	$(BIN)/python -m pytest

# Settings that have no default; nothing is read from Spotify here.
lint: export SPOTIFY_CLIENT_ID = lint
lint: export SYNCIFY_DATA_DIR = .data/lint
lint: .venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint templates --check --lint --quiet
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check

format: .venv
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/djlint templates --reformat --quiet

bench: .venv
	$(BIN)/python -m bench.sync
	$(BIN)/python -m bench.queue
	$(BIN)/python -m bench.memory
	$(BIN)/python -m bench.events

lock: .venv
	$(LOCK) $(if $(UPGRADE),--upgrade) --output-file requirements.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra embedded --extra dev --constraint requirements.txt \
		--output-file requirements-dev.txt
