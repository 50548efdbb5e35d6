# Every target works in .venv and makes it when it is missing or older than pyproject.toml.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
STATES ?= 10000
SEQUENCES ?= 1000

.PHONY: check format test test-wheel bench bench-moving bench-page bundle docs crash faults demo

check: $(READY)  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## rewrite the tree as `check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(READY)  ## the suite on the tree
	$(BIN)/python -m pytest -q

# The copy has none of the packages: a test that passes can only have imported the wheel. What tries every byte, state and
# fault was run on the tree.
test-wheel: $(READY)  ## the suite on the built wheel, in a fresh environment
	@set -e; \
	work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	$(BIN)/python -m build --wheel --outdir "$$work" . >"$$work/build.log" 2>&1 || { cat "$$work/build.log"; exit 1; }; \
	$(PYTHON) -m venv "$$work/venv"; \
	"$$work/venv/bin/pip" install -q "$$(echo "$$work"/*.whl)[test]"; \
	mkdir "$$work/tree"; \
	tar -cf - --exclude=./.git --exclude=./.venv --exclude=./vault_core --exclude=./integrations --exclude=./mcp_server . | tar -xf - -C "$$work/tree"; \
	cd "$$work/tree"; \
	"$$work/venv/bin/python" -I -m pytest -q --import-mode=importlib -m "not exhaustive"

bench: $(READY)  ## speed, beside what else is installed
	$(BIN)/python -m benchmarks

bench-moving: $(READY)  ## time and memory of exports and imports, 100,000 memories
	$(BIN)/python -m benchmarks.moving

bench-page: $(READY)  ## docs/benchmarks.md and its pictures, from a fresh run beside all peers
	$(BIN)/pip install -q chromadb lancedb vaultmem
	$(BIN)/python -m benchmarks --json docs/benchmarks.json --page

# OWNER is whose entry in the MCP registry it is: make bundle OWNER=io.github.somebody
OWNER ?= io.github.strongroom
bundle: $(READY)  ## dist/strongroom.mcpb and dist/server.json, for clients and registries
	$(BIN)/python mcp_server/bundle.py --namespace $(OWNER)

docs: $(READY)  ## the pages and pictures that are made from code
	$(BIN)/python docs/house.py
	$(BIN)/python docs/cli.py
	$(BIN)/python docs/mcp_clients.py

crash: $(READY)  ## simulated power cuts: make crash STATES=1000000
	STRONGROOM_CRASH_STATES=$(STATES) $(BIN)/python -m pytest -q tests/crash -o faulthandler_timeout=0

faults: $(READY)  ## random work over stores that fail: make faults SEQUENCES=10000
	STRONGROOM_FAULT_SEQUENCES=$(SEQUENCES) $(BIN)/python -m pytest -q tests/test_remote_faults.py

demo: $(READY)  ## the README's first command, on the tree
	$(BIN)/strongroom demo

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'
	touch $@
