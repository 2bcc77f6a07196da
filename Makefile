# Each target installs what it needs, and repeats nothing. `make help` lists the targets.
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
MUTATION_ARGS ?=
SIMULATION_ARGS ?=

# Without it, each of the many processes that the tests start would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-zA-Z_%-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamps depend on pyproject.toml, so a changed dependency is installed and an unchanged one is not looked at.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "this needs Python 3.11 or newer; name one: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "cannot create a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.created
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,xlsx]'
	@touch $@

# One stamp for each dependency group of pyproject.toml, so that a target installs what it uses.
$(VENV)/.group-%: $(VENV)/.package
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group $*
	@touch $@

.PHONY: install
install: $(VENV)/.package ## Install the package and its command into .venv

.PHONY: demo
demo: $(VENV)/.package ## Send 3,000 posts through a local sandbox at the full rate (DEMO_ARGS="--count 500 --tokens 3")
	@$(BIN)/python examples/demo.py $(DEMO_ARGS)

.PHONY: demo-distributed
demo-distributed: $(VENV)/.group-test ## Send a spreadsheet with four workers under one limit and kill one of them (needs redis-server)
	@$(BIN)/python examples/distributed/demo.py $(DEMO_ARGS)

# A test whose tool is missing is skipped and says so. REQUIRE_ALL_TOOLS=1 installs every tool and skips nothing.
TEST_GROUPS := test agents $(if $(REQUIRE_ALL_TOOLS),bench browser docs release specification)

.PHONY: test
test: $(TEST_GROUPS:%=$(VENV)/.group-%) ## Run the tests, in parallel (TEST_ARGS="-k limiter", "-n 0" for one process)
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(TEST_ARGS)

test-%: $(VENV)/.group-nox ## Run the tests on one Python (test-3.12), or with the lowest versions of the libraries (test-lowest)
	@$(BIN)/nox --session $@ -- $(TEST_ARGS)

.PHONY: test-all
test-all: $(VENV)/.group-nox ## Run the tests on each supported Python on this machine, and with the lowest versions
	@$(BIN)/nox -- $(TEST_ARGS)

.PHONY: lint
lint: $(VENV)/.group-lint ## Check style and import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(VENV)/.group-lint ## Apply the style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: $(patsubst %,$(VENV)/.group-%,types test agents bench browser nox specification) ## Check types with mypy and pyright, and that the public interface is fully typed
	@# Side by side, since each of them uses one core.
	@$(BIN)/mypy & mypy=$$!; $(BIN)/pyright --warnings && $(MAKE) --no-print-directory types-public; pyright=$$?; \
	wait $$mypy && exit $$pyright

# pyright finds no types in an editable install, so it checks a copy that looks installed, beside what is installed.
.PHONY: types-public
types-public:
	@rm -rf build/types && mkdir -p build/types && cp -R marketingblocks_async build/types
	@installed=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	cd build/types && PYTHONPATH=".:$$installed" "$(CURDIR)/$(BIN)/pyright" --ignoreexternal \
	  --verifytypes marketingblocks_async > ../types.txt || { cat ../types.txt; exit 1; }
	@grep 'Type completeness score' build/types.txt

.PHONY: bench
bench: $(VENV)/.group-bench ## Compare with other clients: the limit as the server sees it, cost, scale (70 minutes)
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.group-bench ## Run the benchmarks in three minutes, and fail if a promise is broken (a count, never a time)
	@$(BIN)/python -m benchmarks --quick --check $(BENCH_ARGS)

.PHONY: torture
torture: $(VENV)/.group-test ## Kill bulk runs 1,000 times and audit what was published (TORTURE_ARGS="--quick")
	@$(BIN)/python -m tests.torture $(TORTURE_ARGS)

.PHONY: mutation
mutation: $(VENV)/.group-test ## Change the code in small ways and list what no test notices (MUTATION_ARGS="limits")
	@$(BIN)/python -m tools.mutation $(MUTATION_ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.group-test ## Throw anything at every input, FUZZ_EFFORT (50) times as long as the tests do
	@FUZZ_EFFORT=$${FUZZ_EFFORT:-50} $(BIN)/python -m pytest --timeout 0 -k fuzz tests

.PHONY: simulation
simulation: $(VENV)/.group-test $(VENV)/.group-agents ## Play 100,000 simulated worlds: network, disk and processes that fail (SIMULATION_ARGS="--seed 17")
	@$(BIN)/python -m tests.simulation --seeds 100000 $(SIMULATION_ARGS)

.PHONY: docs
docs: $(VENV)/.group-docs ## Build the documentation into build/site
	@$(BIN)/python -m zensical build --strict --clean

# Before 1.0 a minor version may break programs, from 1.0 on a major one: the releases to compare with.
SERIES = $(shell sed -nE 's/.*"(0\.[0-9]+|[1-9][0-9]*)\..*/v\1.*/p' marketingblocks_async/_version.py)

.PHONY: api
api: $(VENV)/.group-release ## Compare the public interface with the last compatible release
	@tag=$$(git tag --list '$(SERIES)' --sort=-version:refname | head -n 1); \
	if [ -n "$$tag" ]; then $(BIN)/griffe check marketingblocks_async --against "$$tag"; \
	else echo "there is no release $(SERIES) to compare with"; fi

.PHONY: lock
lock: $(VENV)/.group-release ## Write the newest versions of all dependencies to requirements.lock, for audits
	@$(BIN)/pip-compile --quiet --upgrade --all-extras --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml

# taskiq-dependencies (MIT) names its licence in a file only.
.PHONY: licences
licences: $(VENV)/.group-release $(VENV)/.group-test ## Check that everything that is installed with the package has a permissive licence
	@$(BIN)/pip-licenses --packages $$(sed -n 's/==.*//p' requirements.lock) --ignore-packages taskiq-dependencies \
	  --partial-match --allow-only 'MIT;BSD;Apache;Python Software Foundation;PSF;ISC;MPL;Mozilla;0BSD;Unlicense'

.PHONY: dist
dist: $(VENV)/.group-release ## Build both distributions into dist, check them, and use each in an environment of its own
	@rm -rf dist && $(BIN)/python -m build --no-isolation
	@$(BIN)/twine --no-color check --strict dist/*
	@$(BIN)/check-wheel-contents dist/*.whl
	@for file in dist/*; do rm -rf build/installed && $(BIN)/python -m venv build/installed && \
	  build/installed/bin/python -m pip install --quiet --disable-pip-version-check "$$file" && \
	  build/installed/bin/python -I -W error -c 'from marketingblocks_async import *' && \
	  build/installed/bin/python -I -W error examples/demo.py --count 100 || exit 1; done

.PHONY: clean
clean: ## Remove everything that the other targets made
	rm -rf $(VENV) .nox build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
