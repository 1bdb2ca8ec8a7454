# SPDX-License-Identifier: Apache-2.0
# Everything is made inside this checkout: .venv, .cache and .demo.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
RELEASE_TOOLS := .cache/release/installed
TEMPORARY := .cache/tmp
# These tests compare how calls are spaced, and have the machine to themselves.
TIMED := tests/integration/rate_limit
SOURCES := $(wildcard lessonspace_provider dags_examples scripts tests benchmarks noxfile.py)

export TMPDIR := $(CURDIR)/$(TEMPORARY)
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export UV_PYTHON_INSTALL_DIR := $(CURDIR)/.cache/python
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Neither the caller's Airflow nor the caller's Python settings have a say in here.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV
$(foreach name,$(filter AIRFLOW% _AIRFLOW%,$(.VARIABLES)),$(eval unexport $(name)))

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo ui test matrix docs package release audit install constraints clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1 \t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(INSTALLED) ## archive one night of transcripts with a real Airflow, against a sandbox
	@$(BIN)/python -m scripts.demo

ui: $(INSTALLED) ## the same, left running to click around in
	@$(BIN)/python -m scripts.demo --keep-running

test: $(INSTALLED) | $(TEMPORARY) ## ruff, mypy, codespell, pytest
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy -p lessonspace_provider -p scripts
	$(BIN)/codespell lessonspace_provider dags_examples scripts benchmarks docs .github *.md
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --ignore $(TIMED)
	$(BIN)/python -m pytest $(TIMED)

docs: $(INSTALLED) ## build the documentation into .cache/site, strictly and without the network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'Built: .cache/site. To read it with search: python3 -m http.server --bind 127.0.0.1 --directory .cache/site 8000'

matrix: $(INSTALLED) ## the tests on every Airflow and Python that there is an interpreter for; takes over an hour
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .cache/nox
	$(BIN)/uv pip install --quiet --constraints constraints.txt --python .cache/nox/bin/python --group matrix
	.cache/nox/bin/nox $(if $(SESSION),--session "$(SESSION)")

package: $(RELEASE_TOOLS) ## build sdist and wheel into dist, and use each in an empty environment outside of here
	@env -u TMPDIR $(BIN)/python -m scripts.package

release: $(RELEASE_TOOLS) ## the same, for a commit whose tag, version and changelog agree
	@env -u TMPDIR $(BIN)/python -m scripts.package --release

audit: $(RELEASE_TOOLS) ## look for known weaknesses of the pinned dependencies; needs PyPI's vulnerability data
	.cache/release/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement constraints.txt

install: $(INSTALLED) ## create .venv with all that demo and test need

# A virtual environment whose making was interrupted is made anew: only the stamp says that one is good.
$(INSTALLED): pyproject.toml constraints.txt | $(TEMPORARY)
	@echo 'Installing Airflow and all that is needed into .venv; the first time this takes a while.'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed, as PYTHON=/path/to/python3; $(PYTHON) is not."; exit 1; }
	rm -rf .venv
	@# Pip asks an installed rustc for its version, and rustup then writes to its home.
	RUSTUP_HOME=.cache/rustup $(PYTHON) -m venv .venv
	RUSTUP_HOME=.cache/rustup $(BIN)/python -m pip install --quiet --no-cache-dir --constraint constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python --constraints constraints.txt --build-constraints constraints.txt \
		--quiet --compile-bytecode --editable . --group test
	@touch $@

$(RELEASE_TOOLS): pyproject.toml constraints.txt | $(INSTALLED)
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .cache/release
	$(BIN)/uv pip install --quiet --constraints constraints.txt --python .cache/release/bin/python --group release
	@touch $@

$(TEMPORARY):
	@mkdir -p $@
	@echo '*' > .cache/.gitignore

constraints: $(INSTALLED) ## pin the newest versions of all dependencies
	printf 'hatchling\nuv\n' | $(BIN)/uv pip compile --universal --python-version 3.10 --upgrade \
		--no-annotate --custom-compile-command 'make constraints' --quiet \
		--output-file constraints.txt pyproject.toml --all-extras --group test --group docs --group matrix --group release -

clean: ## remove everything that was made in here
	rm -rf .venv .cache .demo .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
