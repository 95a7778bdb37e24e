# From a bare checkout: `make demo`, `make gui` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n 2 --dist loadscope --max-worker-restart 0
# Every dock at work, how windows close, and a whole journey; tests/gui for all.
PYSIDE_TESTS ?= tests/gui/test_behaviour.py tests/gui/test_closing.py tests/gui/test_image_kinds.py \
	tests/gui/journeys/test_sample_journey.py
BENCH_ARGS ?= --laptop

.NOTPARALLEL:
.PHONY: help demo gui test test-pyside lint bench sample screenshots wheel-check constraints clean

help:
	@echo "make demo         train on five slices of the sample, predict, score, report"
	@echo "make gui          napari with the docks"
	@echo "make test         all tests; those with windows on a screen of their own (Xvfb)"
	@echo "make test-pyside  tests of all docks with PySide6"
	@echo "make lint         ruff, mypy, import rules, napari manifest"
	@echo "make wheel-check  build the wheel, install it afresh, use it"
	@echo "make bench        measure; writes benchmarks/results/"
	@echo "make sample       make sample_data/ anew"
	@echo "make screenshots  make the pictures of docs/images anew"
	@echo "make constraints  choose the versions of all packages anew"

# One environment; a stamp for each set of extras that is in it.
$(VENV)/.ready-%: pyproject.toml constraints.txt tools/make_venv.py
	$(PYTHON) tools/make_venv.py $(VENV) $*

demo: $(VENV)/.ready-base
	$(BIN)/napari-xseg demo

gui: $(VENV)/.ready-all
	$(BIN)/napari-xseg

test: $(VENV)/.ready-test-gui
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-pyside: $(VENV)/.ready-test-gui
	QT_API=pyside6 $(BIN)/python -m pytest $(PYSIDE_TESTS)

screenshots: $(VENV)/.ready-test-gui
	xvfb-run -a -s "-screen 0 1366x768x24" $(BIN)/python tools/screenshots.py

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari_xseg/napari.yaml

wheel-check: $(VENV)/.ready-dev
	$(BIN)/python tools/wheel_check.py

bench: $(VENV)/.ready-bench
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

sample: $(VENV)/.ready-base
	$(BIN)/napari-xseg sample sample_data --overwrite

constraints:
	$(PYTHON) tools/make_constraints.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
