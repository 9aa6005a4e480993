# Each target does its own set-up on a fresh clone: `.venv` from the hash-pinned lock files, then the work.

.DEFAULT_GOAL := help

venv := .venv
runtime := $(venv)/installed-runtime
tools := $(venv)/installed-tools

pip := $(venv)/bin/python -m pip --disable-pip-version-check --quiet --quiet --no-input
# Nothing is compiled, and nothing that isn't in the lock file is accepted.
pip_install_lock := $(pip) install --require-hashes --only-binary :all: --requirement

# Given as `make migrate DATABASE_URL=…`, the value reaches the process by environment and with every `$` in it.
ifeq ($(origin DATABASE_URL),command line)
override DATABASE_URL := $(value DATABASE_URL)
export DATABASE_URL
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(runtime) ## start everything: embedded PostgreSQL, migrations, HTTP service
	@exec $(venv)/bin/wallet run

.PHONY: demo
demo: $(runtime) ## play the main job once through the real HTTP service, and exit
	@exec $(venv)/bin/wallet demo

.PHONY: migrate
migrate: $(runtime) ## bring DATABASE_URL (or the embedded server) to the current schema and functions
	@exec $(venv)/bin/wallet migrate

.PHONY: rollback
rollback: $(runtime) ## undo the last migration
	@exec $(venv)/bin/wallet rollback

.PHONY: serve
serve: $(runtime) ## start the HTTP service alone, against DATABASE_URL
	@exec $(venv)/bin/wallet serve

.PHONY: worker
worker: $(runtime) ## deliver alerts, make automatic recharges, reconcile calls, against DATABASE_URL
	@exec $(venv)/bin/wallet worker

.PHONY: test
test: $(tools) ## run pgTAP and pytest against real PostgreSQL servers
	@exec $(venv)/bin/pytest -n logical --dist worksteal --max-worker-restart 0

.PHONY: lint
lint: $(tools) ## check style, types, and the safety of functions and migrations
	$(venv)/bin/ruff check
	$(venv)/bin/ruff format --check
	$(venv)/bin/mypy
	$(venv)/bin/sqlfluff lint db/functions db/migrations db/tests
	$(venv)/bin/pgspot --ignore PS002 $(filter-out $(pgspot_no_body),$(sort $(wildcard db/functions/*/*.sql)))
	$(venv)/bin/pgspot --ignore PS002 --no-plpgsql $(pgspot_no_body)
	$(venv)/bin/squawk $(filter-out %.rollback.sql,$(sort $(wildcard db/migrations/*.sql)))

# pgspot's parser doesn't know the fields of a composite type, so it can't read a body that assigns to one.
pgspot_no_body := $(addprefix db/functions/, \
    ledger/deduct_call_credits_batch.sql ledger/post_transaction.sql \
    stripe/read_checkout_session.sql stripe/read_payment_intent.sql stripe/read_wallet_metadata.sql)

.PHONY: bench
bench: $(tools) ## measure, as ratios against PostgreSQL's own limits on the same server
	@exec $(venv)/bin/python -m db.bench.run

.PHONY: lock
lock: $(venv)/created ## move both lock files to the newest versions that pyproject.toml allows
	$(pip) install uv==0.13.8
	$(venv)/bin/uv pip compile $(lock_options) --group build --output-file requirements.lock
	$(venv)/bin/uv pip compile $(lock_options) --group dev --constraints requirements.lock --output-file requirements-dev.lock

lock_options := pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --upgrade --custom-compile-command 'make lock'

# A virtual environment is full of absolute paths: a checkout that was moved or copied needs a new one.
ifneq ($(shell cat $(venv)/created 2>/dev/null),$(CURDIR))
.PHONY: $(venv)/created
endif

$(venv)/created:
	@for python in "$$PYTHON" python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$python" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then \
	        echo "Setting up $(venv) with $$("$$python" --version) …"; \
	        "$$python" -m venv --clear $(venv) && pwd -P > $@; \
	        exit; \
	    fi; \
	done; \
	echo 'pgwallet needs Python 3.11 to 3.14 with its venv module (Debian: python3-venv); name it with PYTHON=/path/to/python.' >&2; \
	exit 1

$(runtime): $(venv)/created requirements.lock pyproject.toml
	@echo 'Installing the pinned dependencies …'
	@$(pip_install_lock) requirements.lock
	@$(pip) install --no-deps --no-build-isolation --editable .
	@touch $@

$(tools): $(runtime) requirements-dev.lock
	@echo 'Installing the pinned tools for tests and checks …'
	@$(pip_install_lock) requirements-dev.lock
	@touch $@
