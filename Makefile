# Everything runs in .venv, made on first use. Windows: see the plain pip lines in the README.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test check bench bench-dyad bench-validation bench-export bench-study bench-live soak notebooks docs samples clean

demo: $(VENV)/.core
	$(BIN)/cuesense demo

test: $(VENV)/.test
	$(BIN)/python -m pytest

check: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py

bench-dyad: $(VENV)/.bench
	$(BIN)/python benchmarks/dyad.py

bench-validation: $(VENV)/.bench
	$(BIN)/python benchmarks/validation/page.py

bench-export: $(VENV)/.test
	$(BIN)/python benchmarks/export.py

bench-study: $(VENV)/.test
	$(BIN)/python benchmarks/study.py

bench-live: $(VENV)/.test
	$(BIN)/python benchmarks/live.py

soak: $(VENV)/.test
	$(BIN)/python benchmarks/live.py --minutes 30

# Their outputs, for the documentation; some minutes.
notebooks: $(VENV)/.test
	$(BIN)/python docs/run_notebooks.py

docs: $(VENV)/.test
	$(BIN)/mkdocs build --strict

samples: $(VENV)/.test
	$(BIN)/python samples/make_samples.py

clean:
	rm -rf $(VENV) build site cuesense-demo

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.core: $(VENV)/.venv pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.test: $(VENV)/.core
	$(PIP) install -c constraints.txt -e '.[test]'
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(PIP) install -c constraints.txt -e '.[bench]'
	touch $@
