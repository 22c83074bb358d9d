# `make help` lists the targets. Everything runs in a virtualenv of its own; nothing needs root.
PYTHON ?= python3
PORT ?=
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := web/node_modules web/tools/node_modules clients/remotion/node_modules tests/clients/node_modules \
	tests/frontend/node_modules tests/s3rver/node_modules tests/remotion_helper/project/node_modules tests/remotion_helper/oldest/node_modules
# Without cached bytecode each pytest worker collects 5 s longer, and each process that a test starts compiles again.
unexport PYTHONDONTWRITEBYTECODE
# More workers than cores, because slow tests mostly wait. tests/conftest.py orders them: the longest files come first.
TEST = $(BIN)/pytest -n 5 --dist loadfile --no-loadscope-reorder
TEST_FAST = $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not slow"
LOCK = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help run test test-fast coverage check format-check format lint lint-web types layers schema schema-check settings settings-check bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

run: $(VENV)/run.stamp web/node_modules ## start everything on 127.0.0.1:8000 (PORT= changes it)
	@exec $(BIN)/rendercast dev $(if $(PORT),--port $(PORT))

test: $(VENV)/dev.stamp $(PACKAGES) ## run every test
	$(TEST)

test-fast: $(VENV)/dev.stamp ## run the tests that need no browser, Node or other process of Rendercast
	$(TEST_FAST)

coverage: $(VENV)/dev.stamp $(PACKAGES) ## run every test and print the lines and branches not reached
	$(TEST) --cov --cov-report=term

check: format-check lint lint-web types layers schema-check settings-check test ## everything that must hold before a commit

format: $(VENV)/dev.stamp ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

format-check: $(VENV)/dev.stamp ## fail if `make format` would change anything
	$(BIN)/ruff format --check .

lint: $(VENV)/dev.stamp ## report mistakes and security weaknesses
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app.py cli.py auth commands pages resolvers schema services transport

lint-web: web/node_modules web/tools/node_modules clients/remotion/node_modules ## check the types of web/ and clients/ and lint them, and the GitHub workflows
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
	$(LOCK) pyproject.toml --group build --extra tracing -o requirements/tracing.lock
	$(LOCK) pyproject.toml --group build --extra tracing --group dev -o requirements/dev.lock

clean: ## remove what the other targets made, but no data
	rm -rf $(VENV) $(PACKAGES) tests/clients/relay/__generated__ clients/remotion/dist
	rm -rf .coverage .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Rendercast needs Python 3.11 or newer." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.lock

$(VENV)/run.stamp: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	-@$(BIN)/pytest --collect-only --quiet >/dev/null # compiles the tests once: else each worker of the first run does, for 4 s
	@touch $@

# GraphiQL's parts, so that its page works without the internet. Without npm the page loads them from a CDN.
web/node_modules: web/package-lock.json
	@if command -v npm >/dev/null 2>&1; then npm ci --prefix web --silent --no-audit --no-fund; else echo "npm is not here: GraphiQL will load its parts from a CDN."; fi
	@if [ -d $@ ]; then touch $@; fi

# The type checker and the linter of web/, and axe-core for the browser tests: not installed by `make run`.
web/tools/node_modules: web/tools/package-lock.json
	@if command -v npm >/dev/null 2>&1; then npm ci --prefix web/tools --silent --no-audit --no-fund; else echo "npm is not installed: lint-web and the browser tests are skipped."; fi
	@if [ -d $@ ]; then touch $@; fi

# The GraphQL clients that are tested. Without npm those tests are skipped.
tests/clients/node_modules: tests/clients/package-lock.json
	@if command -v npm >/dev/null 2>&1; then npm ci --prefix tests/clients --silent --no-audit --no-fund; else echo "npm is not here: the tests of JavaScript clients will be skipped."; fi
	@if [ -d $@ ]; then touch $@; fi

# What the program in docs/frontend.md is made with. Without npm its test is skipped.
tests/frontend/node_modules: tests/frontend/package-lock.json
	@if command -v npm >/dev/null 2>&1; then npm ci --prefix tests/frontend --silent --no-audit --no-fund; else echo "npm is not here: the test of docs/frontend.md will be skipped."; fi
	@if [ -d $@ ]; then touch $@; fi

# An S3 server that verifies signatures. Without npm the storage of outputs is tested with another one only.
tests/s3rver/node_modules: tests/s3rver/package-lock.json
	@if command -v npm >/dev/null 2>&1; then npm ci --prefix tests/s3rver --silent --no-audit --no-fund; else echo "npm is not installed: some tests of the storage of outputs are skipped."; fi
	@if [ -d $@ ]; then touch $@; fi

# What the helper for Remotion projects is checked with: React's and Remotion's types, and the compiler.
clients/remotion/node_modules: clients/remotion/package-lock.json
	@if command -v npm >/dev/null 2>&1; then npm ci --prefix clients/remotion --silent --no-audit --no-fund; else echo "npm is not installed: the types of clients/remotion are not checked and its tests are skipped."; fi
	@if [ -d $@ ]; then touch $@; fi

# Remotion projects with the newest and the oldest versions that the helper is tested with. Without npm those tests are skipped.
tests/remotion_helper/%/node_modules: tests/remotion_helper/%/package-lock.json
	@if command -v npm >/dev/null 2>&1; then npm ci --prefix tests/remotion_helper/$* --silent --no-audit --no-fund; else echo "npm is not installed: the tests of the helper for Remotion projects are skipped."; fi
	@if [ -d $@ ]; then touch $@; fi
