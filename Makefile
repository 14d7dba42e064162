# A bare machine needs python3.11, g++, cmake and make; everything else goes into .venv.
#
#   make demo    a trained network moves a liquid in a stock LAMMPS; prints the path of a figure
#   make test    the tests that a change needs, at most 12 minutes of CPU time; prints what they took
#   make test-all  the slow ones, too: builds, long runs, examples and small benchmarks
#   make lint    style and types of Python and C++, and the import rules
#   make sanitize   the native engines under the sanitizers of the compiler, with damaged model files
#   make compilers  the native engines by each compiler and with flags that builders give, which must agree
#   make fuzz    N hostile inputs (1000), and what became of them: files, configurations, commands
#   make bench   benchmarks
#   make sums    the list of the shipped models, whose programs are trusted; after a change in potentials/
#   make wheel   a wheel in dist/ that brings lmp the plugin
#   make clean   removes what was built, but not .venv

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
SOURCES := $(shell find cpp -type f) CMakeLists.txt pyproject.toml

# lmp, mpiexec and vitrify come from .venv; small networks are faster on one thread for each process.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export OMP_NUM_THREADS ?= 1

# Processes that run tests side by side; the tests of a file stay together.
TESTERS ?= 2

# In this order: tables of the README last, from what the others found.
BENCHMARKS := startup md_systems native_engine ogn_vs_md readme_tables

.PHONY: all demo test test-slow test-all lint sanitize compilers fuzz bench sums wheel clean
all: $(STAMPS)/vitrify

# What the build needs comes first, torch above all: an isolated build would fetch it a second time.
$(STAMPS)/build: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" \
	  > $(VENV)/build-requirements.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -r $(VENV)/build-requirements.txt
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/vitrify: $(STAMPS)/build $(SOURCES)
	$(BIN)/python -m pip install --quiet --no-build-isolation -c constraints.txt -e '.[test,lint]'
	touch $@

demo: $(STAMPS)/vitrify
	python examples/kalj/run.py

# A file of build/ tells the CPU time of each file of tests.
PYTEST := python -m pytest -n $(TESTERS) --dist loadfile

test: $(STAMPS)/vitrify
	$(PYTEST) -m "not slow" --cpu-limit 720 --cpu-times build/test-times.json tests

test-slow: $(STAMPS)/vitrify
	$(PYTEST) -m slow --cpu-times build/test-slow-times.json tests

test-all: test test-slow

lint: $(STAMPS)/vitrify
	ruff check python tests benchmarks examples tools
	ruff format --check python tests benchmarks examples tools
	mypy
	lint-imports
	python tools/check_includes.py
	clang-format --dry-run --Werror $$(find cpp -name '*.cpp' -o -name '*.h')

sanitize: $(STAMPS)/vitrify
	python tools/check_native.py sanitizers

compilers: $(STAMPS)/vitrify
	python tools/check_native.py compilers

# Hostile inputs, about half an hour for 10000 on two cores; python -m tests.fuzz --help has more.
N ?= 1000
fuzz: $(STAMPS)/vitrify
	python -m tests.fuzz $(N) --jobs $(TESTERS)

bench: $(STAMPS)/vitrify
	set -e; for script in $(BENCHMARKS); do python -m benchmarks.$$script; done

sums:
	cd potentials && LC_ALL=C sha256sum *.pt > SHA256SUMS

wheel: $(STAMPS)/vitrify
	$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .
	ls dist/vitrify-*.whl

clean:
	rm -rf build dist $(STAMPS) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find python tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +
