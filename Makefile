# make demo | make test | make check | make docs; each installs what it needs into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo serve test test-browser test-clients check docs pages pictures proof bench-check lab format reference corpus clean

demo: $(INSTALLED)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh

# The page for the newest run in runs/: make demo first.
serve: $(INSTALLED)
	$(BIN)/nmt serve

# The tests of the page, in a real browser. Needs Chromium of the system: apt-get install chromium
test-browser: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt playwright axe-playwright-python
	$(BIN)/python -m pytest tests/test_page.py -n 0 -rs

# Clients of LibreTranslate and DeepL, unchanged, against `nmt serve`: in a folder of their own, since they need other
# packages than nmt does. Weblate without its dependencies: only its classes for the two APIs are used. Needs Node.js.
CLIENTS := build/clients
test-clients: $(INSTALLED)
	$(PYTHON) -m venv $(CLIENTS)/venv
	$(CLIENTS)/venv/bin/python -m pip install --quiet --disable-pip-version-check transpolibre==0.8.15 libretranslatepy==2.1.4 \
		"Django>=5.2,<6" requests python-dateutil
	$(CLIENTS)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps weblate==5.14.3
	npm install --silent --no-audit --no-fund --prefix $(CLIENTS) translate@3.1.0 deepl-node@1.28.0
	$(BIN)/python -m pytest tests/test_clients.py -n 0 -rs

# Tests of the computing parts check every annotated shape and type while they run, which doubles their time.
SHAPES := $(addprefix tests/test_,$(addsuffix .py,aligner attention batch batches bridge cells characters cross_entropy \
	deferred_gradients ensemble generator guide int8 loss mbr model no_waiting optimizer packed padding precision sampling \
	scoring search shortlist transformer))

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8 --dist worksteal $(SHAPES)
	NMT_CHECK_SHAPES=0 $(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8 --dist worksteal \
		$(addprefix --ignore=,$(SHAPES)) tests

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every command of docs/how-to.md and every cell of the Colab notebook.
pages: $(INSTALLED)
	$(BIN)/python -m pytest -m slow tests/test_notebook.py tests/test_documentation.py

# The documentation site, in build/docs: open build/docs/index.html. A broken link or anchor is an error.
docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	$(BIN)/zensical build --clean --strict
	$(BIN)/python scripts/make_site_offline.py

# The pictures of docs/tutorial.md, by its own commands (two trainings, about ten minutes).
pictures: $(INSTALLED)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/make_tutorial_pictures.py

# tests/reliability in its long form (an hour on two cores), and the table in docs/reliability.md. For one file:
# pytest tests/reliability/test_FILE.py --proof docs/reliability.md
proof: $(INSTALLED)
	$(BIN)/python -m pytest tests/reliability -n auto --maxprocesses 8 --dist worksteal -vv --proof docs/reliability.md

# Fails if nmt has become slower beside a plain model, measured in the same minutes; let nothing else run meanwhile.
bench-check: $(INSTALLED)
	$(BIN)/python scripts/bench_peers.py --toolkits nmt "nmt int8" "nmt int8 shortlist" plain --check docs/lab/benchmarks.json

# The tests of the measuring scripts in scripts/lab, with their long part, which `make test` leaves out.
LAB := $(addprefix tests/test_,$(addsuffix .py,claims count first_picture growth measure_flags sweep time_to_quality translate_beside))

lab: $(INSTALLED)
	NMT_CHECK_SHAPES=0 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal $(LAB)

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Files that are written by a program and kept in git.
reference: $(INSTALLED)
	$(BIN)/python scripts/make_settings_reference.py
	$(BIN)/python scripts/make_systems_reference.py
	$(BIN)/python scripts/make_kinds_reference.py
	$(BIN)/python scripts/make_cli_reference.py
	$(BIN)/python scripts/make_code_map.py

corpus: $(INSTALLED)
	$(BIN)/python scripts/make_corpus.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit("nmt needs Python 3.11 or newer, and this is %d.%d: make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(INSTALLED)
