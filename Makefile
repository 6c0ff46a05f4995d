# What to run while working on livemon or trying it. Each target installs what it needs, and says so; on Debian 12 or
# later nothing has to be there but python3, make and git. `make` alone lists the targets.
.PHONY: help demo serve sign-in-link test lint types format bench mutants wheels pins clean
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
python := .venv/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.run ## start livemon with calls that have real speech, and print the link to open (ARGS="--calls 40")
	@.venv/bin/livemon demo $(ARGS)

serve: .venv/.run ## start livemon with nothing but what you configured
	@.venv/bin/livemon $(ARGS)

sign-in-link: .venv/.run ## print a link that signs you in, once (ARGS="--name Maya --role developer" for somebody else)
	@.venv/bin/livemon sign-in-link $(ARGS)

test: .venv/.dev chromium postgresql node ## run every test (ARGS="tests/calls -k tombstone" for some)
	@$(if $(ARGS),$(python) -m pytest $(ARGS),scripts/test)

lint: .venv/.dev types ## style, types and the arrows between packages
	@echo "livemon: ruff" && .venv/bin/ruff check --quiet . && .venv/bin/ruff format --check --quiet .
	@echo "livemon: imports" && .venv/bin/lint-imports --no-cache >.venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@echo "livemon: markup" && $(python) scripts/check_markup.py

types: .venv/.dev
	@echo "livemon: pyright" && .venv/bin/pyright
	@scripts/check-javascript

format: .venv/.dev ## bring the Python files into shape
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

bench: .venv/.dev chromium ## measure the list against its rivals (ARGS="transcript", "listen", "listeners", "take-over" or "sdk" for the others)
	@.venv/bin/livemon bench $(or $(ARGS),list)

mutants: .venv/.dev chromium postgresql node ## break livemon on purpose, and see that the tests notice
	@$(python) tests/mutants/run.py $(ARGS)

wheels: .venv/.dev ## build both distributions into dist/
	@.venv/bin/uv build --quiet --all-packages --build-constraints requirements-build.txt --out-dir dist && ls dist

pins: ## pin the newest versions that pyproject.toml allows
	@scripts/pin

clean: ## remove what was installed and built here (data stays)
	rm -rf .venv .tools .oldest dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache test-output

.venv/.run: requirements.txt requirements-build.txt pyproject.toml runtime/pyproject.toml
	@scripts/sync run

.venv/.dev: requirements-dev.txt requirements-build.txt pyproject.toml runtime/pyproject.toml
	@scripts/sync dev

.PHONY: chromium postgresql node
chromium: # and what Playwright's own program needs
	@command -v chromium >/dev/null && /sbin/ldconfig -p | grep -q libatomic.so.1 || scripts/install-debian chromium fonts-dejavu-core libatomic1

postgresql: # the programs alone: the tests start servers of their own
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || scripts/install-postgresql

node: # for the example of a runtime in JavaScript, whose tests fetch its dependencies by npm
	@command -v node >/dev/null && command -v npm >/dev/null || scripts/install-debian nodejs npm
