# Chancery.  `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
UV := .uv/bin/uv
UV_VERSION := 0.13.9

.PHONY: bench-doors bench-hsm hsm-test help install demo demo-stop test test-fast kill-test hsm-test check bench bench-ocsp ocsp-fuzz doors-fuzz bench-crl bench-pages bench-large lock format screenshots clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  \1\t/' | expand -t 16

install: .venv/.installed ## .venv with the chancery command (pinned, hashed)

$(UV): # Debian splits venv from Python, and a bare machine has one without the other
	python3 -m venv .uv || { scripts/apt-install python3-venv && python3 -m venv --clear .uv; }
	.uv/bin/pip install --quiet uv==$(UV_VERSION)

.venv/.installed: requirements/base.lock pyproject.toml | $(UV)
	test -x $(PY) || $(UV) venv --quiet --python "$$(scripts/python)" .venv
	$(UV) pip install --quiet --require-hashes --compile-bytecode -r requirements/base.lock
	$(UV) pip install --quiet --no-deps -e .
	$(PY) -m compileall -q src
	@touch $@

.venv/.dev: .venv/.installed requirements/dev.lock .venv/.services
	$(UV) pip install --quiet --require-hashes --compile-bytecode -r requirements/dev.lock
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

DEMO ?= demo
HTTP_PORT ?= 8080
HTTPS_PORT ?= 8443

demo: install ## an instance in ./demo, running
	@scripts/demo $(DEMO) $(HTTP_PORT) $(HTTPS_PORT)

demo-stop: ## stop what `make demo` started
	@scripts/demo-stop $(DEMO)

.venv/.services: scripts/test-packages .venv/.installed
	scripts/test-packages
	@touch $@

# More workers than cores: much of a test is waiting, for a disk, a database or a process to start.
PYTEST := CHANCERY_REQUIRE_POSTGRES=1 CHANCERY_REQUIRE_SLAPD=1 CHANCERY_REQUIRE_OIDC=1 \
	.venv/bin/pytest -q --dist loadfile --durations=15

test: check ## everything, on services that the tests start themselves
	$(PYTEST) -n 4 --ignore tests/browser --ignore tests/fault
	$(PYTEST) -n 2 --no-loadscope-reorder tests/browser
	$(PYTEST) -n 3 --no-loadscope-reorder tests/fault/test_kills.py tests/fault

test-fast: .venv/.dev ## the quick half: no services, no kills
	.venv/bin/pytest -q -n 2 tests/unit tests/fuzz

kill-test: .venv/.dev ## 10,000 random kills; hours
	CHANCERY_KILLS=10000 .venv/bin/pytest -q -s tests/fault/test_kills.py

hsm-test: .venv/.dev ## 500 restarts of a signer with a token, under load; minutes
	CHANCERY_HSM_RESTARTS=500 .venv/bin/pytest -q -s tests/fault/test_hsm_restarts.py

bench: .venv/.dev ## issuance, bulk, latency, memory: as ratios to raw crypto of the same run
	scripts/bench-packages
	$(PY) bench/issuance.py

bench-ocsp: .venv/.dev ## OCSP from memory beside nginx, signed on demand beside raw signatures
	scripts/bench-packages
	$(PY) bench/ocsp.py

ocsp-fuzz: .venv/.dev ## 1,000,000 mutated OCSP requests
	CHANCERY_OCSP_MUTANTS=1000000 .venv/bin/pytest -q tests/fuzz/test_ocsp_requests.py

doors-fuzz: .venv/.dev ## 1,000,000 mutated messages for each of SCEP, EST, CMP and ACME
	CHANCERY_SCEP_MUTANTS=1000000 CHANCERY_EST_MUTANTS=1000000 CHANCERY_CMP_MUTANTS=1000000 CHANCERY_ACME_MUTANTS=1000000 \
		.venv/bin/pytest -q tests/fuzz/test_scep_messages.py tests/fuzz/test_est_messages.py \
		tests/fuzz/test_cmp_messages.py tests/fuzz/test_acme_messages.py

bench-doors: .venv/.dev ## certificates through SCEP, EST, CMP and ACME, beside REST; pebble beside ACME
	scripts/bench-packages
	$(PY) bench/doors.py

bench-hsm: .venv/.dev ## signatures on a token through the signer: as ratios to the token driven raw
	$(PY) bench/hsm.py

bench-crl: .venv/.dev ## CRLs of a CA that revoked 1,000,000, and revoking many at once
	$(PY) bench/crl.py

bench-large: .venv/.dev ## OCSP, start and CRL with 10,000,000 certificates, 1,000,000 revoked; 20 GB and a quarter of an hour
	scripts/bench-packages
	$(PY) bench/large.py

bench-pages: .venv/.dev ## server time of the console's pages with 1,000,000 certificates on record
	$(PY) bench/pages.py

SCREENSHOTS ?= screenshots
screenshots: .venv/.dev ## pictures of every page, light, dark and on a phone, in ./screenshots
	PYTHONPATH=tests $(PY) -m browser.screenshots $(SCREENSHOTS)

clean: ## remove what can be made again
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
