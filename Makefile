# Every target makes what it needs and does nothing twice. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
TORTURE_ARGS ?=

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-zA-Z_-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamps depend on what is installed from, so a changed dependency is noticed and nothing else is.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.created
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,xlsx]'
	@touch $@

$(VENV)/.dev: $(VENV)/.package
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

.PHONY: install
install: $(VENV)/.package ## Install the package and its command into .venv

.PHONY: demo
demo: $(VENV)/.package ## Send 3,000 posts through a local sandbox at the full rate (DEMO_ARGS="--count 500 --tokens 3")
	@$(BIN)/python examples/demo.py $(DEMO_ARGS)

.PHONY: demo-distributed
demo-distributed: $(VENV)/.dev ## Send a spreadsheet with four workers, one limit, one of them killed (needs redis-server)
	@$(BIN)/python examples/distributed/demo.py $(DEMO_ARGS)

.PHONY: test
test: $(VENV)/.dev ## Run the tests (TEST_ARGS="-k limiter")
	@$(BIN)/python -m pytest $(TEST_ARGS)

.PHONY: test-lowest
test-lowest: $(VENV)/.created ## Run the tests with the lowest supported versions of the four libraries
	@$(PYTHON) tools/test_matrix.py lowest $(TEST_ARGS)

.PHONY: test-all
test-all: $(VENV)/.created ## Run the tests on every supported Python that is here, and with the lowest versions
	@$(PYTHON) tools/test_matrix.py all $(TEST_ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## Check style and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(VENV)/.dev ## Apply style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: $(VENV)/.dev ## Check types: mypy, pyright, and that all of the public interface has them
	@$(BIN)/mypy
	@$(BIN)/pyright --warnings
	@# A copy that looks installed, since pyright does not find the types of an editable one.
	@rm -rf build/types && mkdir -p build/types && cp -R marketingblocks_async build/types
	@cd build/types && PYTHONPATH=. "$(CURDIR)/$(BIN)/pyright" --pythonpath "$(CURDIR)/$(BIN)/python" \
	  --ignoreexternal --verifytypes marketingblocks_async

.PHONY: bench
bench: $(VENV)/.dev ## Compare with other clients, in an hour and a half: the limit as the server sees it, cost, scale
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.dev ## The same in three minutes, and fail if a promise is broken (a count, never a time)
	@$(BIN)/python -m benchmarks --quick --check $(BENCH_ARGS)

.PHONY: torture
torture: $(VENV)/.dev ## Kill bulk runs 1,000 times and audit what was published (TORTURE_ARGS="--quick")
	@$(BIN)/python -m tests.torture $(TORTURE_ARGS)

.PHONY: docs
docs: $(VENV)/.dev ## Build the documentation into build/site
	@$(BIN)/python -m zensical build --strict --clean

.PHONY: api
api: $(VENV)/.dev ## Compare the public interface with the last release
	@$(BIN)/python tools/check_api.py

.PHONY: lock
lock: $(VENV)/.dev ## Write down the versions that were tested, for audits
	@$(BIN)/python tools/lock.py

.PHONY: dist
dist: $(VENV)/.dev ## Build wheel and source distribution into dist, and check them
	@$(BIN)/python tools/check_release.py

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf $(VENV) .venvs build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
