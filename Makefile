# The commands of this repository. All of them need Python 3.11 or newer, make and git; everything else they install themselves,
# into .venv (and .venv-core, .venv-lowest). Another interpreter: make PY=python3.12 demo
PY ?= python3
PYTEST ?=
SOAK ?=
KILLS ?= 1000
STUDY ?=
STUDIES ?=
PICTURES ?=
BIN := .venv/bin
PIP_INSTALL := -m pip install --no-input --disable-pip-version-check -c constraints.txt
SEARCH_ONLY := albumentations cloudpickle ray mlflow optuna sqlalchemy click rich matplotlib platformdirs yaml
EVERYTHING := .[search,dev,postgres,timm,datasets]

.PHONY: help demo test lint quick slow soak core lowest docs pictures constraints clean

help:
	@echo "make demo         a real search on the shipped sample, end to end"
	@echo "make test         formatting, lint, types and the quick tests (make lint, make quick: a part of it)"
	@echo "make slow         the tests that take longer"
	@echo "make soak         100,000 fuzzed policy files: each accepted and run, or refused in one line; 1,000 kills; 20 nodes; 200 claimers; 200 races to the test set: nothing lost; verdicts of 7,000 studies with planted truth"
	@echo "make core         the tests of the core, in an environment without the search extra"
	@echo "make lowest       the quick tests with the oldest versions that pyproject.toml allows"
	@echo "make docs         renew what is made from tables: docs/ops.md, the pictures, the policy file's JSON Schema, docs/recipes.md"
	@echo "make pictures     the README's pictures of a study's report: make pictures STUDY=NAME STUDIES=DIR (its home)"
	@echo "make constraints  renew constraints.txt"
	@echo "make clean        delete all that these commands have made"

demo: .venv/.search
	$(BIN)/policysearch demo

test: lint quick

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

quick: .venv/.dev
	$(BIN)/pytest $(PYTEST)

slow: .venv/.dev
	$(BIN)/pytest -m "slow and not gpu" $(PYTEST)

soak: .venv/.dev
	$(BIN)/python tests/fuzz/soak.py $(SOAK)
	$(BIN)/python tests/faults/soak.py --kills $(KILLS)
	$(BIN)/python tests/faults/ray_soak.py --nodes 20 --trials 2400 --trial-seconds 0.5 --kill-every 30
	$(BIN)/python tests/claimers.py --processes 200 --trials 20
	$(BIN)/python tests/integration/heldout_racer.py --races 200 --processes 50
	$(BIN)/python tests/simulation/soak.py --studies 1000

# What `pip install policysearch` brings, built as a wheel and nothing from the search extra beside it.
core: .venv-core/.made
	rm -rf build .venv-core/wheel
	.venv-core/bin/python -m pip wheel --quiet --no-input --disable-pip-version-check --no-deps -w .venv-core/wheel .
	.venv-core/bin/python $(PIP_INSTALL) --no-deps --force-reinstall .venv-core/wheel/*.whl
	.venv-core/bin/python -I -c 'import importlib.util as u, sys; found = [n for n in "$(SEARCH_ONLY)".split() if u.find_spec(n)]; \
	    sys.exit(f"make: .venv-core is not the core alone: {found}" if found else 0)'
	.venv-core/bin/pytest tests/core $(PYTEST)

lowest: .venv-lowest/.made
	.venv-lowest/bin/pytest $(PYTEST)

docs: .venv/.dev
	$(BIN)/python -m searchspaces.ops_page docs/ops.md
	$(BIN)/python -m searchspaces.levels_page docs/levels.md
	$(BIN)/python -m searchspaces.policy_schema
	$(BIN)/python -m trials.recipes_page docs/recipes.md
	$(BIN)/policysearch ops --strip -o docs/images/ops.png
	$(BIN)/policysearch preview zoo:trivialaugment-wide --draws 3 -o docs/images/preview.png

# Of a real study: what --home would name is STUDIES; PICTURES takes the script's other options.
pictures: .venv/.dev
	$(BIN)/python benchmarks/readme_pictures.py $(STUDY) --home $(STUDIES) $(PICTURES)

constraints: .venv/.dev
	echo "# The exact versions that CI installs (Python 3.11). Renew: make constraints" > constraints.txt
	$(BIN)/uv pip compile --quiet --python-version 3.11 --upgrade --all-extras --no-annotate --no-header pyproject.toml >> constraints.txt

clean:
	rm -rf .venv .venv-core .venv-lowest build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.search: pyproject.toml constraints.txt | .venv/.made
	@echo "Installing policysearch and what it searches with into .venv (once; some minutes, 7 GB, mostly PyTorch) ..."
	$(BIN)/python $(PIP_INSTALL) -e '.[search]'
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/.made
	@echo "Installing policysearch and its development tools into .venv (once; some minutes, 7 GB, mostly PyTorch) ..."
	$(BIN)/python $(PIP_INSTALL) -e '$(EVERYTHING)'
	@touch .venv/.search $@

.venv-core/.made: pyproject.toml constraints.txt
	$(call make_environment,.venv-core)
	.venv-core/bin/python $(PIP_INSTALL) pytest pytest-timeout hypothesis \
	    $$(.venv-core/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])')
	@touch $@

.venv-lowest/.made: pyproject.toml | .venv/.dev
	$(call make_environment,.venv-lowest)
	$(BIN)/uv pip install --python .venv-lowest/bin/python --compile-bytecode --resolution lowest-direct -e '$(EVERYTHING)'
	@touch $@

.venv/.made:
	$(call make_environment,.venv)
	@touch $@

define make_environment
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: '$(PY)' is $$($(PY) --version 2>&1 | tail -n 1); policysearch needs Python 3.11 or newer: make PY=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PY) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "make: '$(PY)' can't make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	rm -rf $(1)
	$(PY) -m venv $(1)
endef
