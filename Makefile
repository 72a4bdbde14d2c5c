# make train, make test: both set up .venv first if it is missing or out of date.
VENV   := .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := .venv-peers
# A machine with a GPU has a Python with its own torch: no .venv is made there.
GPUPY  ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

.DEFAULT_GOAL := help
.PHONY: help setup train test test-all defects torture lint format docs wheel peers gpu wheels clean-venv

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with the tested versions of everything

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@

train: $(READY) ## Train an LSTM on handwritten digits (no download, a minute)
	$(BIN)/python train.py experiment=digits_lstm

test: $(READY) ## Run the tests that need neither a GPU nor minutes, in two processes
	$(BIN)/python -m pytest

test-all: $(READY) ## Run every test, the slow ones and those for a GPU where there is one
	$(BIN)/python -m pytest -m "slow or not slow"

defects: $(READY) ## Seed defects one at a time and see which the tests catch (an hour)
	$(BIN)/python scripts/seed_defects.py

torture: $(READY) ## Kill, cut, fill, flip and forge all there is, and rewrite the table of docs/reliability.md (a night)
	$(BIN)/python scripts/run_torture.py

lint: $(READY) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## Build the pages of docs/ and the API as a site in site/, without warnings
	$(BIN)/mkdocs build --strict

wheel: $(READY) ## Build dist/*.whl, which holds the configurations too
	$(BIN)/python -m build --wheel

peers: $(READY) $(PEERS)/.ready ## Time training beside PyTorch, Lightning and Keras (a quiet quarter of an hour)
	$(BIN)/python scripts/compare_peers.py --docs docs/benchmarks.md

$(PEERS)/.ready: scripts/peers/requirements.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install -q -r scripts/peers/requirements.txt
	touch $@

gpu: ## Measure on a CUDA GPU what docs/ measured on a CPU, in less than eight minutes (docs/gpu.md)
	PYTHONPATH=. $(GPUPY) scripts/measure_gpu.py $(if $(OUT),--out "$(OUT)")

wheels: $(READY) ## Collect in wheels/ what a machine with a GPU but without internet lacks
	$(BIN)/python -m pip wheel -q --no-deps -c constraints.txt -w wheels hydra-core omegaconf \
		antlr4-python3-runtime accelerated-scan fla-core==0.6.0 einops==0.8.1

clean-venv: ## Delete .venv and .venv-peers
	rm -rf $(VENV) $(PEERS)
