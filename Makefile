# `make demo` shows the main job on this machine, `make test` proves everything.
# Both install the Debian packages that they need, and say which (root or sudo).

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt bench setup

help: ## What there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what tests and the demo need
	@sh tests/setup.sh

demo: setup ## A push becomes live, and a bad one is rolled back, all on this machine (KEEP=1 leaves it running)
	@cargo build --quiet -p cutover -p it --bins
	@KEEP=$(KEEP) cargo run --quiet -p it --bin demo

test: setup check ## Everything that can be proven here
	cargo build --workspace --all-targets
	cargo nextest run --workspace $(MACHINES)
	cargo test --workspace --doc

check: ## Format, lints, scripts, the pure build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p cutover-deploy --no-default-features -- -D warnings
	shellcheck -s sh deploy/src/script/*.sh tests/*.sh

fmt: ## Format the code
	cargo fmt --all

bench: ## Measure, each figure beside a floor of the same run
	@echo "There is no benchmark yet; counts that are budgets are tests: make test"; false
