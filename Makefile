# The one door to every task. `make demo` and `make test` need Python 3.11+, pip and npm, and nothing else.
PYTHON ?= python3
RUN    := .venv/bin
DEV    := .venv-dev/bin
JOBS   ?= 2

.PHONY: demo test test-emulated test-weights test-exhaustive check format templates clean

demo: .venv/ready  ## speak a paragraph, hear it again, compare
	$(RUN)/python examples/demo.py out

test: .venv-dev/ready  ## default suite: offline, no weights
	$(DEV)/python -m pytest -m "not weights and not peers and not exhaustive" -n $(JOBS)

test-emulated: .venv-dev/ready  ## the kernels for AVX-512 and AMX, on any CPU with AVX2
	PYTHONPATH=tests/emulation $(DEV)/python -m pytest -p emulated -n $(JOBS) tests/kernels tests/parity tests/decode \
		-m "not weights and not peers and not exhaustive" \
		-k "not plain and not avx2 and not openvino and not onnxruntime and not torch and not graphs"

test-weights: .venv-dev/peers  ## suites on real checkpoints and against the original packages
	$(DEV)/sonant models fetch whisper-base
	$(DEV)/sonant models fetch whisper-tiny.en
	$(DEV)/sonant models fetch kokoro-82m
	$(DEV)/python -m pytest -m "(weights or peers) and not exhaustive" --durations 15

test-exhaustive: .venv-dev/peers  ## every clip against the original packages: many minutes
	$(DEV)/python -m pytest -m exhaustive

check: .venv-dev/ready  ## format, lint, types, import contracts, file sizes
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy
	$(DEV)/lint-imports
	$(DEV)/python scripts/check_sizes.py

format: .venv-dev/ready
	$(DEV)/ruff format .
	$(DEV)/ruff check --fix .

templates: .venv-dev/ready  ## freeze the graphs of every catalog size (spec/graphs.json)
	$(DEV)/python scripts/make_templates.py

KERNELS := $(wildcard src/sonant/kernels/*.[ch]) src/sonant/kernels/build.py hatch_build.py

.venv/ready: pyproject.toml $(KERNELS)
	$(PYTHON) -m venv .venv
	$(RUN)/python -m pip install --quiet --editable .
	touch $@

# torch first and pinned: a later `torch` requirement is then met by what is there.
.venv-dev/ready: pyproject.toml $(KERNELS)
	$(PYTHON) -m venv .venv-dev
	$(DEV)/python -m pip install --quiet torch==2.13.0
	$(DEV)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# The original packages, for comparison only. Installed without their dependencies where those would pull CUDA.
.venv-dev/peers: .venv-dev/ready requirements-peers.txt requirements-peers-bare.txt
	$(DEV)/python -m pip install --quiet "setuptools<81" wheel
	$(DEV)/python -m pip install --quiet -r requirements-peers.txt
	$(DEV)/python -m pip install --quiet --no-build-isolation --no-deps -r requirements-peers-bare.txt
	touch $@

clean:
	rm -rf .venv .venv-dev out build dist

BENCH := .venv-bench/bin
ROWS  ?=

.PHONY: bench
bench: .venv-bench/ready  ## sonant beside its peers on the same weights; writes RESULTS.md and build/bench/results.png
	$(BENCH)/python benchmarks/convert.py build/bench/weights
	$(BENCH)/python benchmarks/run.py $(ROWS)

.venv-bench/ready: pyproject.toml $(KERNELS) requirements-bench.txt requirements-peers-bare.txt
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/python -m pip install --quiet torch==2.13.0 "setuptools<81" wheel
	$(BENCH)/python -m pip install --quiet --editable '.[onnxruntime,espeak]' -r requirements-peers.txt -r requirements-bench.txt
	$(BENCH)/python -m pip install --quiet --no-build-isolation --no-deps -r requirements-peers-bare.txt
	touch $@
