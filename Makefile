# demo, test, lint, bench: the words a newcomer needs; `setup` is called by them.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench setup editor browser grafana

demo: setup
	$(PYTHON) lab/setup.py
	$(BIN)/commune-monitor demo

test: lint
	$(PYTHON) lab/setup.py $(if $(CI),--strict)
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m bench.setup
	$(BIN)/python -m bench

editor: setup  # needs Node.js and npm: types into a real language server with the schemas of config/schema
	$(BIN)/pytest -m editor tests/editor

browser: setup  # needs Chromium, Node.js and npm: looks at the board as people and their aids do, and signs in
	$(BIN)/pytest -m browser tests/browser

grafana: setup  # needs Node.js and npm: Grafana's own types and transformations for the dashboards
	$(BIN)/pytest -m grafana tests/dashboards

setup: .venv/.stamp

.venv/.stamp: pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import ensurepip' || { test "$$(id -u)" = 0 && apt-get -qq update && apt-get -qq -y install python3-venv; } \
		|| { echo 'Python cannot make virtual environments; as root: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
