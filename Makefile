# `make demo` shows it at work, `make test` tests it. Each sets up what it needs, once, in .venv.

PYTHON ?= python3
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
export CHROMIUM

RUN := .venv/bin/python
REQUIREMENTS := requirements.txt layers/dependencies/requirements.txt functions/search/requirements.txt
INSTALLED := .venv/.installed-$(shell cat $(REQUIREMENTS) | cksum | tr ' ' '-')
CHECKS := lint-code lint-format lint-types test-unit test-contract test-stack test-browser test-infra

.PHONY: help setup up demo test lint synth clean lint-code lint-format lint-types chromium
.DEFAULT_GOAL := help

help:
	@echo 'make demo    real photographs, judged by simulated Workers and searched; ends by itself'
	@echo 'make up      the whole service on this machine, until Ctrl-C; make up OPTIONS=--help lists its options'
	@echo 'make test    every check and test'
	@echo 'make lint    only the checks: ruff and mypy'
	@echo 'make synth   the CloudFormation templates, into cdk.out'
	@echo 'make setup   only what the others need, in .venv'
	@echo 'make clean   remove what was built; .venv stays'

setup: $(INSTALLED)

$(INSTALLED):
	@command -v $(PYTHON) >/dev/null || { echo 'crowdsight needs Python 3.11 to 3.14; there is no $(PYTHON) here. Say which: make PYTHON=/path/to/python'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || { echo "crowdsight needs Python 3.11 to 3.14; $(PYTHON) is $$($(PYTHON) -V 2>&1). Say which: make PYTHON=/path/to/python"; exit 1; }
	@echo 'Setting up .venv, which takes a minute or two and is done once'
	@$(PYTHON) -m venv .venv
	@$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@$(RUN) -c 'import sysconfig; open(sysconfig.get_path("purelib") + "/crowdsight.pth", "w").write("$(CURDIR)/layers/crowdsight/python\n")'
	@$(RUN) -m local build
	@rm -f .venv/.installed-*
	@touch $@

up: setup
	@exec $(RUN) -m local up $(OPTIONS)

demo: setup
	@exec $(RUN) -m local demo $(OPTIONS)

# Goes on after a failure, and names all that failed at the end.
test: setup
	@failed=''; \
	for check in $(CHECKS); do \
		echo; echo "=== $$check"; \
		$(MAKE) --no-print-directory $$check || failed="$$failed $$check"; \
	done; \
	echo; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; fi; \
	echo 'all passed: $(CHECKS)'

lint: lint-code lint-format lint-types

lint-code: setup
	$(RUN) -m ruff check

lint-format: setup
	$(RUN) -m ruff format --check

lint-types: setup
	$(RUN) -m mypy

test-unit test-contract: test-%: setup
	$(RUN) -m pytest -n 2 tests/$*

test-stack test-infra: test-%: setup
	$(RUN) -m pytest tests/$*

test-browser: chromium setup
	$(RUN) -m pytest tests/browser

# Debian's package where that is possible without asking anybody; otherwise says what to do.
chromium:
	@test -n '$(CHROMIUM)' || \
		if [ "$$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then \
			echo 'Installing Chromium for the browser tests'; \
			apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; \
		else \
			echo 'The browser tests need Chromium: `sudo apt-get install chromium`, or say where it is: make CHROMIUM=/path/to/chromium'; \
			exit 1; \
		fi

synth: setup
	@$(RUN) app.py

clean:
	rm -rf build cdk.out .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
