# Every target makes ready what it needs; the second time that takes no time. `make` alone lists them.

BIN := .venv/bin
# More for pytest, the demo or the benchmarks: make test ARGS='-k firewall -x'
ARGS ?=
# Tests at the same time. They wait for clouds and clusters more than they compute; each has a lab of its own.
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help check test demo bench fmt lint crd clean python system browser monitoring controlplane

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: lint ## Fast: linters, types, layers, CRD freshness, unit tests; needs no lab
	$(BIN)/pytest -n auto -m 'not lab' $(ARGS)

test: lint system browser monitoring controlplane ## Everything, against a real API server, packet filter and Redis
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

demo: system controlplane ## A broken path is made to work, is broken again, and heals: with times
	$(BIN)/redis-connectivity lab demo $(ARGS)

bench: system controlplane ## Measures what docs/performance.md tells
	$(BIN)/python -m bench $(ARGS)

fmt: python ## Formats, and repairs what ruff can
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

lint: python ## Linters, format, types, layers, CRD freshness
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/redis-connectivity crd --check crds

crd: python ## Generates the CustomResourceDefinitions from the models
	$(BIN)/redis-connectivity crd --output crds

clean: ## Removes what was generated here (not the user's cache)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist

python:
	@tools/bootstrap.sh python

system: python
	@tools/bootstrap.sh system

monitoring: python
	@tools/bootstrap.sh monitoring

browser: python
	@tools/bootstrap.sh browser

controlplane: python
	@$(BIN)/python -m redis_connectivity_lab.controlplane
