# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
# Compiled bytes are kept, whatever the shell says: to compile everything anew is a third of `make quick`.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup demo demo-loop quick web web-libraries test test-serving test-clients record-clients soak faults check fix lock docs bench bench-gpu clean

help:            ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

# $(call install, folder of an environment, lock file). HASHES=no takes the same versions from any archive. Nothing is
# compiled but what is used, when it is used: to compile all is two fifths of the time.
ifeq ($(HASHES),no)
install = sed '/--hash=/d; s/ \\$$//' $(2) | $(1)/bin/python -m pip install --quiet --no-compile --no-deps --requirement /dev/stdin
else
# Where there is a torch for the CPU, it is taken: of two archives pip prefers one whose hash the index tells.
locked = $(1)/bin/python -m pip install --quiet --no-compile --no-deps --require-hashes --requirement
install = { if grep -q ^torch== $(2); then $(call locked,$(1)) requirements/torch-cpu.lock 2>/dev/null; fi; \
    $(call locked,$(1)) $(2) || { echo \
    "$(2): not installed; if pip says above that the hash of a build of this system's own is not in the file, add HASHES=no to the make command" >&2; exit 1; }; }
endif
# A torch for CUDA misses what it needs of NVIDIA's; one for the CPU needs none of it.
install_for_gpu = $(1)/bin/python -m pip check >/dev/null || $(call install,$(1),requirements/cuda.lock)

setup: .venv/ready  ## make .venv with everything at the versions and hashes of requirements.lock

.venv/ready: pyproject.toml requirements.lock requirements/cuda.lock requirements/torch-cpu.lock
	$(PYTHON) -m venv .venv
	$(call install,.venv,requirements.lock)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(call install_for_gpu,.venv)
	$(BIN)/python -m pip check
	touch $@

demo: setup      ## run the whole pipeline on the embedded default model
	$(BIN)/python examples/first-adapter/run.py

demo-loop: setup ## a month of consultations through the gateway, a release a week
	$(BIN)/python examples/first-adapter/month.py

# One more than there are processors, up to four: a test that waits for a process or a browser leaves its own idle.
PARALLEL := --numprocesses $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 3 ? cores + 1 : 4))) --dist worksteal

# A fifth of the time goes into making files and removing them. No browser opens one that is in memory.
IN_MEMORY := $(shell test -w /dev/shm && test "$$(df --output=avail /dev/shm | tail -n 1)" -gt 4000000 && \
    echo PYTEST_DEBUG_TEMPROOT=/dev/shm)

quick: setup     ## run the tests that start no model, no server and no other process: under a minute
	$(IN_MEMORY) $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal --hypothesis-profile quick -m 'not slow and not browser and not gpu and not serving and not clients'

# The libraries of the pages and what builds them; `npm ci` takes the versions and hashes of the lock file.
web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	npm ci --prefix web --loglevel error
	touch $@

# Where there is no Node the tests that need one are left out, and say so; CI always has one.
web-libraries:
	if command -v npm >/dev/null; then $(MAKE) --no-print-directory web/node_modules/.package-lock.json; else \
	    echo "npm: is not there; install Node 20 or newer, or the tests that build the pages are skipped" >&2; fi

# A Node for where the machine has none, or an old one.
build/node/ready: requirements/clients.lock
	$(PYTHON) -m venv --clear build/node
	$(call install,build/node,$<)
	touch $@

web: web/node_modules/.package-lock.json  ## build the pages of zddc into src/zddc/tools, check their types, run their own tests; needs Node 20
	cd web && node build.mjs && npx --no-install tsc --noEmit && node test.mjs

test: setup web-libraries  ## run every test but those that need a GPU or a vLLM
	$(BIN)/python -m pytest $(PARALLEL)

test-serving: setup build/vllm/ready build/mlx/ready  ## put adapters into a real vLLM, llama.cpp and mlx-lm, and break them
	$(BIN)/python -m pytest -m serving --numprocesses 2 --dist loadfile

# Models that see need torchvision, which describes operators that only its GPU library has.
build/vllm/ready: requirements/vllm.lock
	$(PYTHON) -m venv --clear build/vllm
	$(call install,build/vllm,$<)
	: > "$$(echo build/vllm/lib/python*/site-packages/torchvision)/_meta_registrations.py"
	touch $@

# What else it needs is in .venv, at versions that it takes.
build/mlx/ready: .venv/ready requirements/mlx.lock
	rm -rf build/mlx
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --target build/mlx --requirement requirements/mlx.lock
	touch $@

test-clients: setup build/clients/ready  ## have real clients consult through the gateway: Claude Code, opencode, Codex, Cline, the SDKs
	$(BIN)/python -m pytest -m clients

record-clients: setup build/clients/ready  ## the same, and keep what the gateway gets for tests/weakspot/gateway/recordings
	WEAKSPOT_RECORD=1 $(BIN)/python -m pytest -m clients

# The machine's own Node may be too old for them.
build/clients/ready: requirements/clients.lock tests/clients/package-lock.json
	$(PYTHON) -m venv --clear build/clients
	$(call install,build/clients,$<)
	mkdir build/clients/npm
	cp tests/clients/.npmrc tests/clients/package*.json build/clients/npm
	PATH=$(CURDIR)/build/clients/bin:$$PATH npm ci --prefix build/clients/npm --loglevel error
	touch $@

build/trl/ready: requirements/trl.lock requirements/cuda.lock
	$(PYTHON) -m venv --clear build/trl
	$(call install,build/trl,$<)
	$(call install_for_gpu,build/trl)
	touch $@

soak: setup web-libraries  ## run every test at full count: kills, disconnects, canary keys, drawn examples; an hour
	WEAKSPOT_SOAK=1 $(BIN)/python -m pytest $(PARALLEL) --timeout 3600

faults: setup    ## put deliberate faults into the code, one at a time: the tests must see each of them
	$(BIN)/python tests/faults.py

check: setup     ## format, lint and types, all read-only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fix: setup       ## format, and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:            ## write the lock files for pyproject.toml anew; UPGRADE=--upgrade takes the newest versions
	test -x $(BIN)/uv || $(MAKE) setup
	$(BIN)/python requirements/lock.py $(UPGRADE)

docs: setup      ## write the command reference anew from the commands themselves, and the tables that tests make
	$(BIN)/python docs/make_reference.py
	WRITE_DOCS=1 $(BIN)/python -m pytest -q -p no:xdist tests/weakspot/models/test_rendering_table.py

bench: setup build/trl/ready  ## run every benchmark that needs no GPU and no hours; results go to bench/results
	for file in $(filter-out bench/bench_engine_gpu.py bench/bench_precision.py, $(wildcard bench/bench_*.py)); do $(BIN)/python $$file || exit 1; done

bench-gpu: setup build/trl/ready  ## measure the training engine on a GPU of 80 GB
	$(BIN)/python bench/bench_engine_gpu.py

clean:           ## remove what make made, the cached base model excepted
	rm -rf .venv build web/build web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
