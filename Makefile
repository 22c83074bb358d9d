# `make help` lists the targets. Everything runs in a virtualenv of its own; nothing needs root.
PYTHON ?= python3
PORT ?=
VENV := .venv
BIN := $(VENV)/bin
# npm writes this file last, so that an installation that was interrupted or failed is repeated.
INSTALLED := node_modules/.package-lock.json
PACKAGES := $(addsuffix /$(INSTALLED),web web/tools clients/react clients/remotion examples/apollo-and-urql examples/nextjs examples/vite-react \
	tests/clients tests/typescript_client tests/s3rver tests/remotion_helper/project tests/remotion_helper/oldest)
# Without cached bytecode each pytest worker collects 5 s longer, and each process that a test starts compiles again.
unexport PYTHONDONTWRITEBYTECODE
# More workers than cores, because slow tests mostly wait. tests/conftest.py orders them: the longest files come first.
# A test that hangs for 10 minutes ends the run: the output has its name and the stacks of its threads. The longest, which
# installs the image, takes a minute and a half, and on a busy machine 4.
PYTEST = $(BIN)/pytest --dist loadfile --no-loadscope-reorder \
	--max-worker-restart 0 -o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true
TEST = $(PYTEST) -n 4
TEST_FAST = $(TEST) -m "not slow"
# Python compiles the modules that are imported, once. To compile all takes pip half of its time.
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes
RETRY = Check the connection to the package index, and run make again.
NPM_CI = npm ci --prefix $(<D) --loglevel=error --no-audit --no-fund >/dev/null
LOCK = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help packages run clients test test-fast coverage check format-check format lint lint-web types layers schema schema-check settings settings-check bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

packages: $(VENV)/run.stamp web/$(INSTALLED) ## install what `make run` needs

run: packages ## start everything on 127.0.0.1:8000 (PORT= changes it)
	@echo "Starting the server"
	@exec $(BIN)/rendercast dev $(if $(PORT),--port $(PORT))

test: $(VENV)/tests.stamp $(PACKAGES) ## run every test
	$(TEST)

test-fast: $(VENV)/tests.stamp ## run the tests that need no browser, Node or other process of Rendercast
	$(TEST_FAST)

coverage: $(VENV)/tests.stamp $(PACKAGES) ## run every test and print the lines and branches not reached
	$(TEST) --cov --cov-report=term

check: format-check lint lint-web types layers schema-check settings-check test ## everything that must hold before a commit

format: $(VENV)/dev.stamp ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

format-check: $(VENV)/dev.stamp ## fail if `make format` would change anything
	$(BIN)/ruff format --check .

lint: $(VENV)/dev.stamp ## report mistakes and security weaknesses
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app.py cli.py auth clients/python commands pages resolvers schema services transport

lint-web: $(addsuffix /$(INSTALLED),web web/tools clients/remotion) clients/react/dist/index.js ## check the types of web/ and clients/ and lint them, and the GitHub workflows
	@if command -v npm >/dev/null 2>&1; then npm run --prefix web/tools --silent types && npm run --prefix web/tools --silent lint && npm run --prefix web/tools --silent workflows; else echo "npm is not installed: lint-web is skipped."; fi

types: $(VENV)/dev.stamp ## check the types
	$(BIN)/mypy .

layers: $(VENV)/dev.stamp ## check who imports whom
	$(BIN)/lint-imports

schema: $(VENV)/run.stamp ## write schema/schema.graphql
	$(BIN)/rendercast export-schema schema/schema.graphql

schema-check: $(VENV)/run.stamp ## fail if schema/schema.graphql is not up to date
	$(BIN)/rendercast export-schema | diff schema/schema.graphql -

settings: $(VENV)/run.stamp ## write docs/settings.md
	$(BIN)/python -m services.settings > docs/settings.md

settings-check: $(VENV)/run.stamp ## fail if docs/settings.md is not up to date
	$(BIN)/python -m services.settings | diff docs/settings.md -

bench: $(VENV)/dev.stamp ## run the benchmarks; benchmarks/README.md explains the results
	$(BIN)/python -m benchmarks

lock: ## choose the newest versions that pyproject.toml admits (needs uv)
	$(LOCK) --group installer -o requirements/installer.lock
	$(LOCK) pyproject.toml --group build -o requirements/run.lock
	$(LOCK) pyproject.toml --group build --extra fonts --extra tracing -o requirements/extras.lock
	$(LOCK) pyproject.toml --group build --extra codegen --extra tracing --group dev -o requirements/dev.lock

clean: ## remove what the other targets made, but no data
	rm -rf $(VENV) $(dir $(PACKAGES)) tests/clients/relay/__generated__ clients/remotion/dist clients/typescript/dist clients/react/dist examples/nextjs/.next
	rm -rf .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each step prints a line, and one sentence if it fails.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed. Install Python 3.11 or newer, or name another one: make PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("Rendercast needs Python 3.11 or newer." if sys.version_info < (3, 11) else 0)'
	@echo "Creating the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -f $@; echo "The virtual environment could not be created. Debian and Ubuntu need the package python3-venv." >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.lock || { rm -f $@; echo "pip could not be installed. $(RETRY)" >&2; exit 1; }

$(VENV)/run.stamp: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing $$(grep -c '^[a-z].*==' $<) packages"
	@$(INSTALL) -r $< || { echo "The packages could not be installed. $(RETRY)" >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . || { echo "Rendercast could not be installed in $(VENV). Remove that folder, and run make again." >&2; exit 1; }
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/run.stamp
	$(INSTALL) -r requirements/dev.lock
	@touch $@

# Compiles what tests import, once: else each worker of the first run does.
$(VENV)/tests.stamp: $(VENV)/dev.stamp
	-@$(BIN)/pytest --collect-only --quiet >/dev/null
	@touch $@

# Installs the npm packages in the folder of the first prerequisite. $(1): what does not work without npm.
define npm_ci
	@if ! command -v npm >/dev/null 2>&1; then echo "npm is not installed: $(1)."; else \
		$(NPM_CI) || { echo "The packages of $(<D) could not be installed. $(RETRY)" >&2; exit 1; }; fi
endef

# GraphiQL's parts, so that its page works without the internet. Otherwise the page loads them from a CDN.
web/$(INSTALLED): web/package-lock.json
	@if ! command -v npm >/dev/null 2>&1; then echo "npm is not installed: GraphiQL loads its parts from a CDN."; else \
		echo "Installing GraphiQL's parts"; \
		$(NPM_CI) || { rm -rf web/node_modules; echo "GraphiQL's parts could not be installed: it loads them from a CDN." >&2; }; fi

# The type checker and the linter of web/, and axe-core for the browser tests: not installed by `make run`.
web/tools/$(INSTALLED): web/tools/package-lock.json
	$(call npm_ci,lint-web and the browser tests are skipped)

# The GraphQL clients that are tested.
tests/clients/$(INSTALLED): tests/clients/package-lock.json
	$(call npm_ci,the tests of JavaScript clients are skipped)

clients: clients/typescript/dist/index.js clients/react/dist/index.js ## build the npm packages @rendercast/client and @rendercast/react
	@command -v npm >/dev/null || { echo "npm is not installed. Install Node 20.19 or newer, and run make again." >&2; exit 1; }
	@echo "Built clients/typescript and clients/react"

clients/typescript/dist/index.js: clients/typescript/package.json clients/typescript/tsconfig.json $(wildcard clients/typescript/src/*.ts) | web/tools/$(INSTALLED)
	@if command -v npm >/dev/null 2>&1; then web/tools/node_modules/.bin/tsc --project clients/typescript && touch $@; fi

clients/react/dist/index.js: clients/typescript/dist/index.js clients/react/package.json clients/react/tsconfig.json $(wildcard clients/react/src/*.ts*) | clients/react/$(INSTALLED)
	@if command -v npm >/dev/null 2>&1; then web/tools/node_modules/.bin/tsc --project clients/react && touch $@; fi

# React 18 and 19, with whose types the package is checked and with which it is tested.
clients/react/$(INSTALLED): clients/react/package-lock.json
	$(call npm_ci,the tests of clients/react are skipped)

# The examples of frontends. They install copies of the packages in clients/.
examples/vite-react/$(INSTALLED) examples/nextjs/$(INSTALLED): clients/typescript/dist/index.js clients/react/dist/index.js
examples/%/$(INSTALLED): examples/%/package-lock.json
	$(call npm_ci,the tests of examples/$* are skipped)

# Bun and Deno, in which clients/typescript is tested too.
tests/typescript_client/$(INSTALLED): tests/typescript_client/package-lock.json
	$(call npm_ci,the tests of clients/typescript are skipped)

# An S3 server that verifies signatures. Without npm the output storage is tested with another one only.
tests/s3rver/$(INSTALLED): tests/s3rver/package-lock.json
	$(call npm_ci,some tests of the output storage are skipped)

# What the helper for Remotion projects is checked with: React's and Remotion's types, and the compiler.
clients/remotion/$(INSTALLED): clients/remotion/package-lock.json
	$(call npm_ci,the types of clients/remotion are not checked and its tests are skipped)

# Remotion projects with the newest and the oldest versions that the helper is tested with.
tests/remotion_helper/%/$(INSTALLED): tests/remotion_helper/%/package-lock.json
	$(call npm_ci,the tests of the helper for Remotion projects are skipped)
