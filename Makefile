# Fairtrial: `make demo` and `make test` work on a fresh machine with Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.PHONY: help setup demo test check app bench guarantees lint format clean requirements

help:
	@echo "make setup    create .venv with the command fairtrial in it"
	@echo "make demo     simulated live traffic with a known truth, declared experiments, sealed readouts"
	@echo "make app      open the app on the demo's workspace (run make demo first)"
	@echo "make test     the whole test suite"
	@echo "make check    the everyday tests, in under two minutes"
	@echo "make bench    timings against a yardstick measured in the same run"
	@echo "make guarantees  errors, power and coverage of every stopping rule by simulation, into docs/guarantees.md"
	@echo "make lint     format, lint, types, import contracts"

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Fairtrial needs Python 3.11 or later; set PYTHON=…"; exit 1; }
	@echo "Setting up $(VENV) (once; about two minutes) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: setup
	@$(BIN)/fairtrial demo --replace

app: setup
	@$(BIN)/fairtrial app demo-output

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --hypothesis-profile=everyday -m "not slow and not postgres and not browser"

bench: setup
	$(BIN)/python -m tests.benchmarks.readout $(BENCH)
	$(BIN)/python -m tests.benchmarks.pages

guarantees: setup
	$(BIN)/python -m tests.guarantees --write docs/guarantees.md $(GUARANTEES)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Needs uv. The file holds names, versions and hashes, and no download address.
requirements:
	UV_PYTHON_DOWNLOADS=never uv pip compile pyproject.toml --all-extras --universal --no-header --no-annotate --generate-hashes -o requirements.txt

clean:
	rm -rf $(VENV) demo-output bench-data .pytest_cache .mypy_cache .ruff_cache
