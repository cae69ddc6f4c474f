# What a person types here. Everything sets itself up; see `make help`.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup setup-methods assets demo demo-methods demo-data serve stop test test-all benchmarks screenshots lint format clean

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest -n 3 --dist loadscope --no-loadscope-reorder
export OMP_NUM_THREADS ?= 1

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1|/' | column -t -s '|'

setup:
	@sh setup/venv.sh

setup-methods:
	@sh setup/venv.sh methods

# Pages work without it, so nothing stops where it cannot be built; the script says what to do.
assets: setup
	@sh setup/assets.sh || true

demo: assets  ## generated scans, real images, two leaderboards: the whole walk in a few minutes
	@sh setup/services.sh run
	@engine=$$(sh setup/engine.sh) && eval "$$engine" && sh setup/base_image.sh && $(PYTHON) setup/demo.py

demo-methods: setup-methods assets  ## the same with the four neural networks, barely trained: some 15 minutes
	@sh setup/services.sh run
	@engine=$$(sh setup/engine.sh) && eval "$$engine" && sh setup/torch_image.sh && $(PYTHON) setup/demo.py --networks

demo-data: setup  ## every kind of anomaly at every difficulty, small, into .demo/data
	@$(PYTHON) setup/demo_data.py

serve: assets  ## the platform in a browser, with what `make demo` left in .demo
	@engine=$$(sh setup/engine.sh) && eval "$$engine" && MOODARENA_DATA=$(CURDIR)/.demo $(PYTHON) -m backend serve --with-worker

stop:  ## stop the container engine that `make demo` started, if it did
	@sh setup/engine.sh stop

test: lint  ## every test but the slow ones, with a real engine, Redis and PostgreSQL
	@sh setup/services.sh test
	@sh setup/assets.sh test
	@sh setup/engine.sh run sh -c 'sh setup/torch_image.sh && $(PYTEST) -m "not slow"'

test-all: lint  ## every test, and the compose file brought up for real
	@sh setup/services.sh test-all
	@sh setup/assets.sh test
	@sh setup/engine.sh run sh -c 'sh setup/torch_image.sh && $(PYTEST) && sh setup/compose_check.sh'

benchmarks: setup-methods assets  ## speed, memory and agreement beside peers, of scoring, scans, methods and pages, about 90 minutes
	@$(PYTHON) benchmarks/scoring.py
	@$(PYTHON) benchmarks/bootstrap.py
	@$(PYTHON) benchmarks/rescoring.py
	@$(PYTHON) benchmarks/datasets.py
	@$(PYTHON) benchmarks/methods.py
	@$(PYTHON) benchmarks/pages.py

screenshots: assets  ## every page in Chromium, light and dark, wide and on a phone, into .screenshots
	@sh setup/services.sh test
	@$(PYTHON) setup/screenshots.py

lint: setup-methods  ## ruff, mypy --strict, import-linter
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

format: setup
	@$(PYTHON) -m ruff check --fix . && $(PYTHON) -m ruff format .

clean:  ## remove what was made here: .venv, caches, the demo's data (stops our engine first)
	@sh setup/engine.sh stop
	rm -rf .venv .demo .cache .screenshots node_modules backend/web/static/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
