# The two commands that matter: `make demo` (from a bare machine to a recorded run) and `make test` (all that CI runs).
SHELL := bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
STAGE = @began=$$SECONDS; began_ns=$$(date +%s%N); trap 'code=$$?; echo "== $@: $$((SECONDS - began)) s"; $(NOTE)' EXIT;
# Stage times of the pipeline (docs/campaigns.md); `test` is the sum of others.
NOTE = $(if $(filter test,$@),:,[ -z "$${ROS2BENCH_PIPELINE:-}" ] || $(PYTHON) -m probes.pipeline stage $@ --began-ns $$began_ns --ended-ns $$(date +%s%N) --code $$code)

# Compiled modules are kept: importing anew costs each test run seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-development demo clean-demo sample-report images lock-images lock docs format check test-unit test-unit-thorough test-stores test-browser test-images test-cluster test-full test prove

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

setup:  ## Python environment of an operator
	@./setup.sh operator

setup-development:  ## Python environment of a developer
	@./setup.sh development

demo: setup  ## From a bare machine to a recorded run: lab, images, `pulumi up`, measurement, report
	$(STAGE)
	$(PYTHON) -m lab up --images demo
	eval "$$($(PYTHON) -m lab env)"
	pulumi up -s monolithic --yes --skip-preview --suppress-outputs
	python -m probes.run -s monolithic --cycles install --repetitions 3 --duration-s 20
	python -m probes.report --output report.html
	cat <<-'TEXT'

	Everything is left running. Try next:
	  source .venv/bin/activate && eval "$$(python -m lab env)"
	  pulumi up -s monolithic                 # says unchanged
	  python -m probes.run -s monolithic      # another record, without touching the stack
	  kubectl get pods -n ros2bench-monolithic -o wide
	  make clean-demo                         # remove it; PURGE=1 removes its data too
	TEXT

clean-demo: setup  ## Remove what `make demo` made (data only with PURGE=1)
	$(STAGE)
	$(PYTHON) -m lab down $(if $(PURGE),--purge)

RECORDS ?= examples/records/four-patterns
MEASURED = $(notdir $(wildcard $(RECORDS)/runs/schema=*/date=*/pattern=*))
PATTERNS = $(foreach pattern,monolithic microservices composition overlay,$(if $(filter pattern=$(pattern),$(MEASURED)),$(pattern)))
# Of the committed records the installs are compared; the page takes updates and swaps from the others.
INSTALLS = 01a20317-c7b4-7182-ab9f-3e57c670c9c1
COMPARED = $(if $(filter examples/records/four-patterns,$(RECORDS)),$(INSTALLS),$(PATTERNS))
sample-report: setup  ## Compare the committed records of the four patterns and write sample-report.html, without a cluster (RECORDS=folder store)
	$(STAGE)
	[ -n "$(PATTERNS)" ] || { echo "error: $(RECORDS) holds no record of a pattern"; echo "next:  make sample-report RECORDS=FOLDER"; exit 2; }
	$(PYTHON) -m probes.compare $(COMPARED) --store dir:$(RECORDS)
	$(PYTHON) -m probes.report $(COMPARED) --store dir:$(RECORDS) --output sample-report.html

images: setup  ## Build and push images to $ROS2BENCH_REGISTRY (ROLES="recorder …", or demo, patterns, all)
	$(STAGE)
	$(PYTHON) -m images.build $(ROLES)

lock-images: setup  ## Learn the digests of the platform's third-party images at their publishers (NAMES="grafana …", or all)
	$(STAGE)
	$(PYTHON) -m images.third_party $(NAMES)

LOCK := .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11
lock:  ## Resolve the requirement locks anew
	$(LOCK) --extra lab pyproject.toml -o requirements/operator.txt
	$(LOCK) --extra lab --group development -c requirements/operator.txt pyproject.toml -o requirements/development.txt
	$(LOCK) -c requirements/development.txt images-stack/requirements.in -o images-stack/requirements.txt

docs: setup-development  ## Generate the pages of docs/ that come from the code
	$(PYTHON) -m stacks.reference
	$(PYTHON) -m probes.reference

format: setup-development  ## Format the code
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

check: setup-development  ## Format, lint, types, import arrows
	$(STAGE)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	(cd images/workspace && ../../.venv/bin/ruff check . && ../../.venv/bin/ruff format --check .)
	PATH="$$PWD/.venv/bin:$$PATH" pyright --warnings
	.venv/bin/lint-imports --no-cache

# Everything that no other tier is made of.
UNIT := not browser and not image and not cluster and not store and not full
test-unit: setup-development  ## Unit tier: seconds, no network, no cluster
	$(STAGE)
	$(PYTHON) -m pytest -q -n 3 --dist worksteal -m "$(UNIT)"

test-unit-thorough: setup-development  ## The same with new random examples, fifty times as many
	$(STAGE)
	HYPOTHESIS_PROFILE=thorough $(PYTHON) -m pytest -q -n 3 --dist worksteal -m "$(UNIT)"

test-stores: setup-development  ## Store tier: faults of a store from many seeds, and real SeaweedFS, one process and distributed
	$(STAGE)
	ROS2BENCH_TEST_SEEDS=50 $(PYTHON) -m pytest tests/stores
	$(PYTHON) -m pytest tests/durability -m store

test-browser: setup-development  ## Browser tier: the report in a real Chromium, installed with apt where it is missing
	$(STAGE)
	$(PYTHON) -m pytest -m browser

test-images: setup-development  ## Image tier: build, inspect and run the images
	$(STAGE)
	$(PYTHON) -m pytest -m "image and not full"

test-cluster: setup-development  ## Cluster tier: the journeys of the README, from the shell, in a lab of its own
	$(STAGE)
	$(PYTHON) -m pytest --durations=15 --durations-min=20 -m "cluster and not full"

test-full: setup-development  ## What is too long for every change: every pattern over every network (writes docs/matrix.md), images built anew
	$(STAGE)
	ROS2BENCH_TEST_FULL=1 ROS2BENCH_TEST_MATRIX=$$PWD/docs/matrix.md $(PYTHON) -m pytest -m "full or matrix"

prove: setup-development  ## Put every claim about the measurements to the test in a lab (ONLY="1 3"); writes docs/proofs.md
	$(STAGE)
	$(PYTHON) -m lab up --images patterns
	eval "$$($(PYTHON) -m lab env)"
	python -m images.build platform
	python -m benchmarks.proofs $(addprefix --only ,$(ONLY))

test:  ## All tiers
	$(STAGE)
	$(MAKE) check
	$(MAKE) test-unit
	$(MAKE) test-stores
	$(MAKE) test-browser
	$(MAKE) test-images
	$(MAKE) test-cluster
