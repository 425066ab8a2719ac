# Two commands matter: `make run` and `make test`. Everything else is a part of them.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py

# Not PORT itself: honcho gives every process another number under that name.
export TWINSEED_HOST := $(HOST)
export TWINSEED_PORT := $(PORT)

.PHONY: run test check lint types contracts migrations messages tools clean

run: .venv/run.stamp
	@$(MANAGE) preflight --host $(HOST) --port $(PORT)
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) collectstatic --no-input --verbosity 0
	@$(MANAGE) register_checkpoint generation/weights/*.safetensors
	@$(MANAGE) demo
	@$(BIN)/honcho start || test $$? -eq 130 # Ctrl-C is the way to stop it

test: .venv/dev.stamp tools
	$(BIN)/pytest

check: lint types contracts migrations

lint: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/dev.stamp
	$(BIN)/mypy

contracts: .venv/dev.stamp
	$(BIN)/lint-imports

migrations: .venv/dev.stamp
	$(MANAGE) makemigrations --check --dry-run

# Gathers the words of raters' pages into locale/, keeping what is translated, and compiles the catalogues.
messages: .venv/dev.stamp tools
	$(MANAGE) makemessages --all --add-location file --ignore var --ignore tests
	$(MANAGE) compilemessages --ignore .venv --ignore var

# A browser, a database server and others from the system's packages; says what to type where it may not install them.
tools:
	@tests/install_tools.sh

.venv/run.stamp: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

.venv/dev.stamp: requirements.txt requirements-extras.txt requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@ .venv/run.stamp

.venv/bin/python:
	@test -w . || { echo "No write permission in $(CURDIR). Change its owner, or clone Twinseed into a folder of yours."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Twinseed needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Install it, then: make run PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv 2>.venv-problem || \
	  { echo "Python could not make a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv. It said:"; cat .venv-problem; rm -rf .venv .venv-problem; exit 1; }
	@rm -f .venv-problem
	@echo "Installing Twinseed's libraries into .venv (torch is large; this takes some minutes) ..."

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
