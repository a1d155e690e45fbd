# Chancery.  `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
UV := .uv/bin/uv
UV_VERSION := 0.13.9

.PHONY: help install demo test check lock format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  \1\t/' | expand -t 16

install: .venv/.installed ## .venv with the chancery command (pinned, hashed)

$(UV):
	python3 -m venv .uv
	.uv/bin/pip install --quiet uv==$(UV_VERSION)

.venv/.installed: requirements/base.lock pyproject.toml | $(UV)
	test -x $(PY) || $(UV) venv --quiet --python 3.11 .venv
	$(UV) pip install --quiet --require-hashes -r requirements/base.lock
	$(UV) pip install --quiet --no-deps -e .
	@touch $@

.venv/.dev: .venv/.installed requirements/dev.lock
	$(UV) pip install --quiet --require-hashes -r requirements/dev.lock
	@touch $@

lock: | $(UV) ## resolve the dependencies anew
	$(UV) pip compile -q --universal --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/base.lock
	$(UV) pip compile -q --universal --generate-hashes --no-header --no-annotate pyproject.toml --group check --group test -o requirements/dev.lock

check: .venv/.dev ## ruff, mypy --strict, import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo 2>/dev/null || .venv/bin/lint-imports

format: .venv/.dev ## let ruff arrange the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
