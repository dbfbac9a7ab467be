# `make demo` shows the main job on this machine, `make test` proves everything.
# Both install the Debian packages that they need, and say which (root or sudo).

# Nextest runs each test in a process of its own and is quicker; without it, cargo does.
TESTS := $(shell cargo nextest --version >/dev/null 2>&1 && echo cargo nextest run || echo cargo test)

# Tests on machines with systemd of their own need root.
MACHINES := $(if $(filter 0,$(shell id -u)),--features it/machines)

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt bench setup

help: ## What there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

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

check: ## Format, lints, scripts, the pure build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p cutover-deploy --no-default-features -- -D warnings
	shellcheck -s sh deploy/src/script/*.sh tests/*.sh tests/kit/*/bin/*

fmt: ## Format the code
	cargo fmt --all

bench: ## Measure, each figure beside a floor of the same run
	@echo "There is no benchmark yet; counts that are budgets are tests: make test"; false
