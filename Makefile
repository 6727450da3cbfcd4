# Thin names for what stands elsewhere. ARGS is passed on: make demo ARGS=--once, make test ARGS="-k ringback".
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo test check bench images fuzz fuzz-policy fuzz-events cuts faults races nasty emergency sbom audit sdk

help:
	@echo "make demo     watch a real Asterisk ring two phones; ARGS=--once ends after one call"
	@echo "make test     everything, against the same real Asterisk; ARGS=\"-k ringback\" chooses"
	@echo "make sdk      the browser SDK in sdk/js: built, measured and tested"
	@echo "make check    formatting, lint, types, import contracts, drawn documents, known flaws of dependencies"
	@echo "make bench    latencies and throughput on this machine"
	@echo "make cuts     a client of the event stream that is cut off 200 times while the service is killed 10 times"
	@echo "make faults   the service, Asterisk and the line between them broken some 550 times while people call: hours"
	@echo "make races    two phones that answer at once, answers that cross a CANCEL, users who hang up: 1,100 calls"
	@echo "make fuzz     what schemathesis makes up of the OpenAPI document, against the running service"
	@echo "make fuzz-policy  a million dial strings, led by the branches of the policy, against an oracle"
	@echo "make nasty    5,000 dial strings that try to be something else than a number, against a real carrier"
	@echo "make emergency  2,000 emergency calls while all that could stand in their way does: ten minutes"
	@echo "make sbom     what the service is installed with, into docs/sbom.cdx.json; make audit asks for known flaws of it"
	@echo "make fuzz-events  250,000 messages that no Asterisk sends, to a service with calls; a million more to its reader alone"
	@echo "make images   the Dockerfiles, carried out without an engine: as root, with mmdebstrap"

demo: $(VENV)/.for-demo
	@$(BIN)/c2c-stasis demo $(ARGS)

# The heart first, and what lets calls through: every branch must be seen, and every planted fault be caught. Then the rest, two
# files at a time: first what only computes, then what mostly waits, the real Asterisk included. With ARGS, all of that is one run.
POLICY := tests/policy tests/publish/test_guard.py
PAIRED := -n 2 --dist loadfile
WAITING := tests/live tests/browser tests/faults tests/surface tests/lab tests/contract
test: $(VENV)/.for-work sdk
	@sh tools/chromium.sh
	$(BIN)/pytest tests/call --cov=c2c_stasis.call --cov-branch --cov-report=term --cov-fail-under=100
	$(BIN)/python tools/planted_faults.py
	$(BIN)/pytest $(POLICY) --cov=c2c_stasis.policy --cov-branch --cov-report=term --cov-fail-under=100
	$(BIN)/python tools/planted_policy_faults.py
ifeq ($(strip $(ARGS)),)
	$(BIN)/pytest $(PAIRED) --ignore=tests/call $(POLICY:%=--ignore=%) $(WAITING:%=--ignore=%)
	$(BIN)/pytest $(PAIRED) $(WAITING)
else
	$(BIN)/pytest --ignore=tests/call $(POLICY:%=--ignore=%) $(ARGS)
endif

# The browser SDK: its modules and the file for a <script> into sdk/js/dist, and its tests. Six seconds.
SDK := sdk/js
sdk: $(SDK)/node_modules/.package-lock.json
	sh tools/npm.sh $(VENV) --prefix $(SDK) run build && touch $(SDK)/dist/index.js
	sh tools/npm.sh $(VENV) --prefix $(SDK) test

$(SDK)/dist/index.js: $(wildcard $(SDK)/src/*.ts) $(SDK)/build.mjs $(SDK)/node_modules/.package-lock.json
	@sh tools/npm.sh $(VENV) --prefix $(SDK) --silent run build >&2 && touch $@

$(SDK)/node_modules/.package-lock.json: $(SDK)/package-lock.json tools/npm.sh $(VENV)/.for-examples
	sh tools/npm.sh $(VENV) --prefix $(SDK) ci --ignore-scripts --no-audit --no-fund

check: $(VENV)/.for-work
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/draw_states.py --check
	$(BIN)/python tools/draw_configuration.py --check
	$(BIN)/python tools/draw_doctor.py --check
	$(BIN)/python tools/draw_openapi.py --check
	$(BIN)/python tools/draw_traces.py --check
	$(BIN)/python tools/draw_policy.py --check
	$(BIN)/python tools/draw_client.py --check
	$(BIN)/python tools/draw_sbom.py --check
	$(BIN)/python tools/audit.py --if-reachable

# What the service is installed with, as CycloneDX: docs/sbom.cdx.json. The same files give the same bytes.
sbom: $(VENV)/.for-work
	$(BIN)/python tools/draw_sbom.py

# Known flaws of these packages, by an advisory service; fails when there are some, and when nobody could be asked.
audit: $(VENV)/.for-work
	$(BIN)/python tools/audit.py $(ARGS)

# The Dockerfiles, carried out without a container engine, and containers of them run: as root, with mmdebstrap installed.
images: $(VENV)/.for-work
	$(BIN)/pytest --durations=0 --durations-min=1 tests/images $(ARGS)

# Every event once, however often the connection is cut and the service killed.
cuts: $(VENV)/.for-work
	C2C_CUTS=long $(BIN)/pytest -s --show-capture=no tests/live/test_event_cuts.py $(ARGS)

# What was accepted ends in one record, whatever breaks. C2C_FAULTS and C2C_FAULTS_SEED choose trials: tests/faults/test_trials.py.
C2C_FAULTS ?= kill=300 cut=200 slow=20 asterisk-kill=20 asterisk-stop=10 term=20
faults: $(VENV)/.for-work
	C2C_FAULTS="$(C2C_FAULTS)" $(BIN)/pytest -s --show-capture=no tests/faults $(ARGS)

# Two things happen at the same moment. C2C_RACES chooses: tests/live/races.py.
C2C_RACES ?= answers=500 crossing=200 hang-up=200
races: $(VENV)/.for-work
	C2C_RACES="$(C2C_RACES)" $(BIN)/pytest -q -s --show-capture=no tests/live/test_races.py $(ARGS)

# Everything that the OpenAPI document tells is asked for, rightly and wrongly, with every credential: some ten thousand requests.
fuzz: $(VENV)/.for-work
	C2C_FUZZ_EXAMPLES=25 $(BIN)/pytest -s --show-capture=no tests/live/test_fuzz.py $(ARGS)

# A million dial strings, judged by the policy and by an oracle that was written from its rules; eight minutes.
fuzz-policy: $(VENV)/.for-fuzz
	$(BIN)/python -m tests.policy.fuzz 1000000 $(ARGS)

# 5,000 dial strings more that try to be something else than a number; what the carrier is asked for is one, or nothing.
nasty: $(VENV)/.for-work
	C2C_NASTY=5000 $(BIN)/pytest -q -s --show-capture=no tests/live/test_injection.py $(ARGS)

# Emergency calls of 2,000 users, with every limit at zero, every connection held and nothing to write on; to a socket here.
emergency: $(VENV)/.for-work
	$(BIN)/python -m bench.emergency

# Whatever comes on the event connection, while people call; then the same to the reader alone, led by its branches. Ten minutes.
fuzz-events: $(VENV)/.for-fuzz
	$(BIN)/python -m tests.events.fuzz 250000 $(ARGS)
	$(BIN)/python -m tests.events.led 1000000

# Figures of this machine, into bench/RESULTS.md.
bench: $(VENV)/.for-work
	$(BIN)/python -m bench

# Everything that is installed is in .venv, with the versions of constraints.txt.
$(VENV)/.for-demo: pyproject.toml constraints.txt tools/venv.sh
	@sh tools/venv.sh $(VENV) . && touch $@

$(VENV)/.for-work: pyproject.toml constraints.txt tools/venv.sh
	@sh tools/venv.sh $(VENV) '.[dev]' && touch $@ $(VENV)/.for-demo $(VENV)/.for-examples

# What the examples need: examples/run.
$(VENV)/.for-examples: pyproject.toml constraints.txt tools/venv.sh
	@sh tools/venv.sh $(VENV) '.[examples]' && touch $@ $(VENV)/.for-demo

EXPRESS := examples/node-express
$(EXPRESS)/node_modules/.package-lock.json: $(EXPRESS)/package-lock.json tools/npm.sh $(VENV)/.for-examples
	@sh tools/npm.sh $(VENV) --prefix $(EXPRESS) ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2

# What the pages of the examples load.
CRM := examples/crm
$(CRM)/sdk/.built: $(SDK)/dist/index.js
	@mkdir -p $(CRM)/sdk && cp $(SDK)/dist/*.js $(CRM)/sdk/ && touch $@

REACT := examples/react
$(REACT)/node_modules/.package-lock.json: $(REACT)/package-lock.json tools/npm.sh $(VENV)/.for-examples
	@sh tools/npm.sh $(VENV) --prefix $(REACT) ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2

$(REACT)/page/crm.js: $(wildcard $(REACT)/*.jsx) $(REACT)/node_modules/.package-lock.json $(SDK)/dist/index.js
	@sh tools/npm.sh $(VENV) --prefix $(REACT) --silent run build >&2

$(VENV)/.for-fuzz: pyproject.toml constraints.txt tools/venv.sh
	@sh tools/venv.sh $(VENV) '.[dev,fuzz]' && touch $@ $(VENV)/.for-work $(VENV)/.for-demo $(VENV)/.for-examples
