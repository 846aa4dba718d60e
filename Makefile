# Every target works from a fresh clone: what needs the virtual environment makes it first.
PYTHON ?= python3.13
BIN := .venv/bin
LOCK := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes \
	--strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	$(if $(UPGRADE),--upgrade)
# The demo takes the environment of the developers where there is one.
DEMO := $(if $(wildcard .venv/installed),.venv,.venv-demo)
#: Of the demo's pages; the simulated Spotify is 1090 higher.
PORT ?= 8000
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= syncify:$(VERSION)
PLATFORMS ?= linux/amd64,linux/arm64

.PHONY: help .venv demo demo-check compose-check test lint format bench lock image audit

help:
	@echo "make demo        try Syncify with a simulated Spotify; make demo PORT=8100 takes other ports"
	@echo "make demo-check  the same without a person: signs in, syncs, compares"
	@echo "make compose-check  starts, kills, upgrades and removes the containers; needs Docker"
	@echo "make test        all tests"
	@echo "make lint        ruff, mypy, template and migration checks; make format corrects what it can"
	@echo "make bench       benchmarks"
	@echo "make image       the image for amd64 and arm64, in dist/; PUSH=1 IMAGE=… pushes it"
	@echo "make audit       looks for known flaws in what is installed, and lists it in dist/"
	@echo "make lock        pin the requirements anew; make lock UPGRADE=1 moves them to the newest"

.venv: .venv/installed

.venv/installed: requirements-dev.txt .python-version
.venv-demo/installed: requirements-demo.txt .python-version
.venv-audit/installed: requirements-audit.txt .python-version

# An installation that was interrupted has no such file, and begins anew.
%/installed:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 12))" || { \
		echo "Syncify needs Python 3.13 (3.12 will do), and '$(PYTHON)' is not one." >&2; \
		echo "Install it, or name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Installing what $< lists into $*, which takes a minute or two. This happens once."
	@$(PYTHON) -m venv --clear $*
	@$*/bin/pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r $<
	@touch $@

demo: $(DEMO)/installed
	@$(DEMO)/bin/python -m syncify.demo --port $(PORT)

demo-check: $(DEMO)/installed
	@$(DEMO)/bin/python -m syncify.demo --port $(PORT) --check

compose-check: .venv
	$(BIN)/python -m scripts.compose_check

test: .venv
	# Both processes must list the tests alike, whatever sets they are listed from.
	PYTHONHASHSEED=0 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

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
	$(BIN)/python -m bench.matching
	$(BIN)/python -m bench.rules
	$(BIN)/python -m bench.pages
	$(BIN)/python -m bench.shared_pages

lock: .venv
	$(LOCK) pyproject.toml --output-file requirements.txt
	$(LOCK) pyproject.toml --extra embedded --extra dev --constraint requirements.txt \
		--output-file requirements-dev.txt
	$(LOCK) pyproject.toml --extra embedded --constraint requirements-dev.txt \
		--output-file requirements-demo.txt
	$(LOCK) requirements-audit.in --output-file requirements-audit.txt

# Several platforms need a builder that can: docker buildx create --use
image:
	@mkdir -p dist
	docker buildx build . --tag $(IMAGE) --platform $(PLATFORMS) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
		$(if $(PUSH),--push,$(if $(LOAD),--load,--output type=oci,dest=dist/syncify-$(VERSION).tar))

audit: .venv-audit/installed
	@mkdir -p dist
	.venv-audit/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
		--output-reproducible --output-file dist/syncify-$(VERSION).cdx.json
	.venv-audit/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.txt
