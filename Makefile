# `make demo` shows the main job on this machine, `make test` proves everything.
# Both install the Debian packages that they need, and say which (root or sudo).

# Nextest runs each test in a process of its own and is quicker; without it, cargo does. Tests wait more than they work.
TESTS := $(shell cargo nextest --version >/dev/null 2>&1 && echo cargo nextest run -j $$(($$(nproc) * 3 / 2)) || echo cargo test)

# Tests on machines with systemd of their own need root.
MACHINES := $(if $(filter 0,$(shell id -u)),--features it/machines)

# How often `make bench` runs each; the others take longer.
ROUNDS ?= 5
PEER_ROUNDS ?= 3
# How often `make bench-losses` deploys in each row, and how many requests a second are sent meanwhile.
DEPLOYMENTS ?= 20
RATE ?= 100

.DEFAULT_GOAL := help
.PHONY: help demo test test-matrix check fmt bench bench-losses setup

help: ## What there is to make
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what tests and the demo need
	@sh tests/setup.sh

demo: setup ## A push becomes live, and a bad one is rolled back, all on this machine (KEEP=1 leaves it running)
	@sh tests/fetch-contracts.sh
	@cargo build -p cutover -p it --bins
	@KEEP=$(KEEP) sh tests/demo.sh

test: setup check ## Everything that can be proven here
	@sh tests/fetch-contracts.sh
	@sh tests/fetch-browser.sh
	@sh tests/fetch-ci-clients.sh
	@sh tests/fetch-gitlab.sh
	cargo build --workspace --all-targets $(MACHINES)
	$(TESTS) --workspace $(MACHINES)

test-matrix: setup ## Debian 12, 13 and testing with Laravel 8, 10 and 13, and a real Kubernetes (root; minutes)
	@sh tests/fetch-kubernetes.sh
	cargo build -p cutover
	$(TESTS) -p it --features it/matrix -- matrix:: containers::

check: ## Format, lints, scripts, the pure build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features it/matrix -- -D warnings
	cargo clippy -p cutover-deploy --no-default-features -- -D warnings
	shellcheck -s sh deploy/src/script/*.sh deploy/src/script/*/*.sh tests/*.sh tests/kit/*/bin/* benches/*.sh benches/src/*/*.sh

fmt: ## Format the code
	cargo fmt --all

bench: setup ## Measure deployments beside a floor and others, over lines of 0, 50 and 100 ms (ROUNDS=1 is quicker)
	@sh benches/peers.sh
	cargo build --release -p cutover -p benches
	@target/release/benches --rounds $(ROUNDS) --peer-rounds $(PEER_ROUNDS) --json target/bench.json

bench-losses: setup ## Count requests and jobs that are lost while releases come and go, beside scripts (root; DEPLOYMENTS=4 is quicker)
	cargo build --release -p cutover
	cargo build --release -p benches --bin losses
	@target/release/losses --deployments $(DEPLOYMENTS) --rate $(RATE) --json target/losses.json
