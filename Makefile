# Two commands do everything: make search, make test. Python 3.11 or newer on PATH, or PYTHON=...
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: search test test-processors check race race-mnist faults clean

search: $(VENV)/installed
	$(BIN)/nas-kd search --budget 20k

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --dist worksteal

# Tests that train, as another kind of processor computes and on other splits: trained numbers
# differ there, and what tests assert must not.
TRAINING := tests/driver/test_drive.py tests/driver/test_quantised.py tests/training tests/package
PYTEST_TRAINING := $(BIN)/python -m pytest -n auto --dist worksteal -q $(TRAINING)

test-processors: $(VENV)/installed-dev
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=default NAS_KD_TEST_SEED=1 $(PYTEST_TRAINING)

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The race against the usual script: minutes; race-mnist is the long form and wants MNIST in data/.
race: $(VENV)/installed
	$(BIN)/python studies/race/race.py digits
	$(BIN)/python studies/race/race.py glyphs
	$(BIN)/python studies/race/report.py digits
	$(BIN)/python studies/race/report.py glyphs

race-mnist: $(VENV)/installed
	$(BIN)/python studies/race/race.py mnist --seeds 3
	$(BIN)/python studies/race/race.py mnist-mlp --seeds 3
	$(BIN)/python studies/race/report.py mnist
	$(BIN)/python studies/race/report.py mnist-mlp

# Searches that are killed at random moments and resumed.
ROUNDS ?= 100
faults: $(VENV)/installed-dev
	$(BIN)/python studies/faults/measure.py --rounds $(ROUNDS)

# A torch and torchvision that PYTHON already has are used: a .pth file points to where they lie.
FIND_TORCH := import os, torch, torchvision; print(os.path.dirname(os.path.dirname(torch.__file__)))
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "nas-kd needs Python 3.11 or newer: make search PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@place=$$($(PYTHON) -c '$(FIND_TORCH)' 2>/dev/null) && \
		echo "$$place" > "$$(echo $(VENV)/lib/python3*/site-packages)/outer-torch.pth" || true

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
