# make demo | test | nightly | faults | sleeps | whole-orders | simulate | simulate-day | mutants | mutate | breaks
# | judges | examples | fuzz | check | audit | evidence | generate | wheel | docs | release | bench | bench-quick | clean.
# Needs only a POSIX make, and Python 3.11 or later with pip.
PYTHON = python3
BIN = .venv/bin

# demo: where the orders lie (sqlite, postgresql, mariadb, split), the emulator's port, and 0 to end at once.
DEMO_DB = sqlite
DEMO_PORT = 8600
DEMO_WAIT = 1

# fuzz: minutes of CPU for each parser.
MINUTES = 10

# whole-orders: how many orders, each with 0 to 40 lines.
ORDERS = 10000

# sleeps: how many runs, how many at a time, and ANY_CODE=1 to go on with results of other code; or SEED, the only one.
SLEEPS = 200
JOBS = 8
ANY_CODE =

# bench: kinds of docs/performance.md (all if empty), and how many orders and rounds the comparison has.
ONLY =
ROWS = 500000
RUNS = 5

# simulate: how many histories, from which seed on; or SEED, the only one to run. simulate-day: how much of the day.
SEEDS = 30000
FIRST = 1
SEED =
HOURS = 24
SIMULATION = PYTHONPATH=.:tests $(BIN)/python -m simulation

# evidence: the folder with the logs of long targets, and the commit that they tried.
LOGS =
COMMIT =

# mutate: how many mutants, and the seed that draws them.
SAMPLE = 300
DRAW = 1

# Bytecode is kept, also where the surroundings forbid it: each process of a test would compile 500 files anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help install demo test nightly faults sleeps whole-orders simulate simulate-day mutants mutate breaks judges examples fuzz audit check evidence generate wheel docs release bench bench-quick clean

help:
	@echo "make demo      60,000 orders from a made-up shop into the Zoho CRM emulator, by meltano run"
	@echo "make test      the tests but what is left to nightly, and 200 histories of faults"
	@echo "make nightly   what takes hours: deeper tests, faults, histories, mutants; a second call goes on (SEEDS=, HOURS=)"
	@echo "make faults    every fault on real processes and each engine, with a table; about 15 minutes"
	@echo "make sleeps    200 runs with one process stopped for 20 to 130 s; a second call goes on (SLEEPS=, JOBS=, SEED=)"
	@echo "make whole-orders  10,000 orders with their lines, in every way and by both channels, with kills (ORDERS=); takes long"
	@echo "make simulate  30,000 histories of faults, killed and overlapping runs in one process; a second call goes on (SEEDS=, SEED=)"
	@echo "make simulate-day  24 simulated hours of mixed traffic under faults (HOURS=)"
	@echo "make mutants   deliberate bugs, each with the history that shows it"
	@echo "make mutate    300 small changes by a tool, each with what notices it; a second call goes on (SAMPLE=, DRAW=)"
	@echo "make breaks    each promise of docs/guarantees.md broken, to see its tests fail; a second call goes on"
	@echo "make judges    Zoho's own SDKs for Python and TypeScript against the emulator; writes docs/judges.md; a second call goes on"
	@echo "make examples  the image and each example, by its own tool against the emulator; takes long"
	@echo "make fuzz      feed every parser made-up and damaged input for MINUTES of CPU each"
	@echo "make check     lint, types, generated files up to date, known vulnerabilities"
	@echo "make audit     known vulnerabilities in what is installed"
	@echo "make install   the environment for runs of your own, in .venv"
	@echo "make evidence  keep the counts of long targets for docs/evidence.md (LOGS=, COMMIT=)"
	@echo "make generate  write meltano.yml, plugins/ and the generated pages of docs/"
	@echo "make wheel     the package for other projects, in dist/"
	@echo "make docs      the site of docs/, in site/"
	@echo "make release   sdist, wheel, constraints and SBOM in dist/, checked; uploads nothing"
	@echo "make bench     measure everything and write docs/performance.md; hours (ONLY=, ROWS=, RUNS=)"
	@echo "make bench-quick  all of it in small, in under 5 minutes; the page goes to .bench/quick/"
	@echo "make clean     remove .venv and everything that was made"
	@echo
	@echo "Options: PYTHON=python3.12, DEMO_DB=postgresql|mariadb|split, DEMO_PORT=8600, DEMO_WAIT=0, MINUTES=10"

install:
	@$(PYTHON) -m scripts.environment demo

demo: install
	@$(BIN)/python -m demo --database "$(DEMO_DB)" --port "$(DEMO_PORT)" --wait "$(DEMO_WAIT)"

test:
	@$(PYTHON) -m scripts.environment dev
	$(BIN)/python -m pytest -n 5 --dist worksteal --brief --junitxml=.pytest_cache/report.xml
	@$(BIN)/python -m scripts.skipped_engines .pytest_cache/report.xml
	@$(SIMULATION) --seeds 180 --fresh 20 --brief

nightly:
	@$(PYTHON) -m scripts.environment dev
	@SEEDS="$(SEEDS)" HOURS="$(HOURS)" sh scripts/nightly.sh

faults:
	@$(PYTHON) -m scripts.environment dev
	FAULTS=all $(BIN)/python -m pytest tests/faults -q -n 2 --dist worksteal

sleeps:
	@$(PYTHON) -m scripts.environment dev
	@PYTHONPATH=.:tests $(BIN)/python -m sleeps $(if $(SEED),--seed $(SEED),--runs $(SLEEPS) --jobs $(JOBS) $(if $(ANY_CODE),--any-code))

whole-orders:
	@$(PYTHON) -m scripts.environment dev
	WHOLE_ORDERS=$(ORDERS) $(BIN)/python -m pytest -s -p no:xdist tests/pair/test_whole_orders.py tests/pair/test_line_items.py -k 'load_and_change or sums'

simulate:
	@$(PYTHON) -m scripts.environment dev
	@$(SIMULATION) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --first $(FIRST) --keep .nightly/simulation.json) $(if $(KINDS),--kinds $(KINDS))

simulate-day:
	@$(PYTHON) -m scripts.environment dev
	@$(SIMULATION).day --hours $(HOURS)

mutants:
	@$(PYTHON) -m scripts.environment dev
	@$(SIMULATION).mutants

mutate:
	@$(PYTHON) -m scripts.environment dev
	@PYTHONPATH=.:tests $(BIN)/python -m mutation --sample $(SAMPLE) --seed $(DRAW)

breaks:
	@$(PYTHON) -m scripts.environment dev
	@PYTHONPATH=.:tests $(BIN)/python -m breaks

judges:
	@$(PYTHON) -m scripts.environment dev
	@PYTHONPATH=.:tests $(BIN)/python -m judges

examples:
	@$(PYTHON) -m scripts.environment dev
	NIGHTLY=all $(BIN)/python -m pytest -s tests/examples

fuzz:
	@$(PYTHON) -m scripts.environment dev
	PYTHONPATH=.:tests $(BIN)/python -m fuzz --minutes $(MINUTES)

audit:
	@$(PYTHON) -m scripts.environment dev
	@$(BIN)/python -m scripts.audit

check:
	@$(PYTHON) -m scripts.environment dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m scripts.generate --check
	@$(BIN)/python -m scripts.audit

evidence:
	@$(PYTHON) -m scripts.environment dev
	@$(BIN)/python -m scripts.evidence "$(LOGS)" --commit "$(COMMIT)"
	@$(BIN)/python -m scripts.generate

generate:
	@$(PYTHON) -m scripts.environment dev
	$(BIN)/python -m scripts.generate

wheel:
	@$(PYTHON) -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir dist .

docs:
	@$(PYTHON) -m scripts.environment dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

release:
	@$(PYTHON) -m scripts.environment dev
	@$(BIN)/python -m scripts.release dist

bench:
	@$(PYTHON) -m scripts.environment dev
	$(BIN)/python -m benchmarks.suite --only $(ONLY) --rows $(ROWS) --runs $(RUNS)
	$(BIN)/python -m scripts.generate

bench-quick:
	@$(PYTHON) -m scripts.environment dev
	$(BIN)/python -m benchmarks.suite --quick --only $(ONLY)
	$(BIN)/python -m scripts.performance_page .bench/quick .bench/quick

clean:
	rm -rf .venv dist site .demo .examples .fuzz .meltano .nightly .pytest_cache .mypy_cache .ruff_cache .hypothesis .bench
