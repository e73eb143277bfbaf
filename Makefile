# The commands of this repository. `make` alone lists them.
#
# Cargo is called with the committed lock file. What a target needs beyond Rust, Node and Python is installed by
# scripts/need when it is missing, and only then.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run web ui screenshots test check guards bench bench-peers bench-lang bench-engine bench-records soak dist

CARGO := cargo
LOCKED := --locked
TARGET := $(or $(CARGO_TARGET_DIR),target)
# More arguments for the server: make run ARGS="--port 9000"
ARGS ?=

# Tests that no database is part of.
NO_SERVER := config command_line dependencies:: layers:: n3:: persistence:: prove:: providers:: sources:: streamed::

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: web ## Build the server and its console and start it on http://127.0.0.1:8080
	@scripts/need cc
	$(CARGO) build --release $(LOCKED)
	@ln -f $(TARGET)/release/tidegate $(TARGET)/release/n3
	@exec $(TARGET)/release/tidegate serve $(ARGS)

web: web/dist/site/index.html ## Build the console, which the next build of the server compiles in

WEB := $(shell find web/src web/scripts -type f -not -name schema.d.ts) docs/openapi.json web/index.html web/vite.config.ts web/tsconfig.json

web/dist/site/index.html: $(WEB) web/node_modules/.package-lock.json
	cd web && npm run --silent build
	@touch $@

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@scripts/need node npm
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

ui: web ## Test the console in a browser
	@scripts/need chromium
	$(CARGO) build $(LOCKED)
	TIDEGATE_BIN=$(abspath $(TARGET))/debug/tidegate scripts/stage "console in a browser" 5 tests/ui/run

screenshots: web ## Write the pictures of the console in docs/images/ anew
	@scripts/need chromium
	$(CARGO) build $(LOCKED)
	TIDEGATE_BIN=$(abspath $(TARGET))/debug/tidegate tests/ui/run screenshots

test: check web ## Install what is missing, check, and run every test
	@scripts/need promtool python3-venv postgres setpriv
	scripts/stage "build the tests" 10 $(CARGO) test --workspace $(LOCKED) --no-run
	scripts/stage "tests" 15 $(CARGO) test --workspace $(LOCKED)
	TIDEGATE_TEST_DATABASE=postgres scripts/stage "tests that start a server, on PostgreSQL" 15 \
		$(CARGO) test $(LOCKED) --test it -- $(addprefix --skip ,$(NO_SERVER))
	@if [ -x tests/clients/run ]; then \
		TIDEGATE_BIN=$(abspath $(TARGET))/debug/tidegate scripts/stage "official clients" 10 tests/clients/run; fi
	@$(MAKE) --no-print-directory ui

check: web/node_modules/.package-lock.json ## Format, lints, documentation, guards: all without running the server
	@scripts/need cc cargo-fmt cargo-clippy
	$(CARGO) fmt --all --check
	scripts/stage "console's types and lints" 5 npm --prefix web run --silent check
	scripts/stage "lints" 10 $(CARGO) clippy --workspace --all-targets $(LOCKED) -- -D warnings
	RUSTDOCFLAGS="-D warnings" scripts/stage "documentation" 10 \
		$(CARGO) doc --workspace --no-deps --document-private-items $(LOCKED)
	@$(MAKE) --no-print-directory guards

guards: ## Layers, file sizes, licences: the rules a compiler does not know
	scripts/stage "guards" 10 $(CARGO) test $(LOCKED) --test it -- layers:: sources:: dependencies::

# `cargo bench` builds the binary once more, with what only tests have; the one that ships is set aside and measured.
# CURVES=1, ONLY=hit,miss, ROUNDS=5, STRICT=1 and more: benches/load/README.md.
bench: ## The whole server against its floors, in one run
	@scripts/need nginx setpriv taskset
	$(CARGO) build --release $(LOCKED) --bin tidegate
	@mkdir -p target/bench && cp -f target/release/tidegate target/bench/tidegate
	TIDEGATE_BIN=target/bench/tidegate $(CARGO) bench $(LOCKED) --bench load

bench-peers: ## The same with other gateways, installed at pinned versions
	benches/load/install-peers
	@$(MAKE) --no-print-directory bench PEERS=1

bench-lang: ## Programs: their start, a thousand flows at once, loops and lists beside CPython
	$(CARGO) build --release $(LOCKED) --bin tidegate
	@mkdir -p target/bench && cp -f target/release/tidegate target/bench/tidegate
	TIDEGATE_BIN=target/bench/tidegate $(CARGO) bench $(LOCKED) --bench lang

bench-engine: ## The mechanisms of the engine one by one
	$(CARGO) bench $(LOCKED) -p tidegate-actors

bench-records: ## The books: rows written and folded, pages with a million rows behind them (ROWS=1000000)
	@scripts/need postgres setpriv
	$(CARGO) bench $(LOCKED) --bench records

soak: ## An hour of mixed traffic, looking for what stays behind (MINUTES=60 CLIENTS=32), and a thousand kills (KILLS=1000)
	@scripts/need cc
	TIDEGATE_KILLS=$(or $(KILLS),1000) $(CARGO) test --release $(LOCKED) --test it -- --nocapture ledger::kill
	$(CARGO) build --release $(LOCKED)
	TIDEGATE_BIN=$(abspath $(TARGET))/release/tidegate python3 tests/soak/run.py

dist: web ## The binary to give away: fat LTO, no symbols, in target/dist/
	$(CARGO) build --profile dist $(LOCKED)
	@ln -f $(TARGET)/dist/tidegate $(TARGET)/dist/n3
