# `make` alone explains each verb.
.DEFAULT_GOAL := help
.PHONY: help run demo test drills chaos lint bench env lock

python := .venv/bin/python
extras := auth catalog payments sandbox
lock = .venv/bin/uv pip compile --quiet pyproject.toml --extra $(1) --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --no-annotate $(2) --output-file requirements/$(1).txt

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: .venv/installed.txt ## the whole shop on this machine, until Ctrl-C
	@exec $(python) -m dev run

demo: .venv/installed.txt ## one purchase, from registration to delivery (GATEWAY=url: behind that gateway)
	@exec $(python) -m dev demo

test: .venv/installed.txt ## every test but the drills, against real servers (ARGS="tests/auth -k login")
	@exec $(python) -m pytest --numprocesses 2 --dist loadfile $(ARGS)

drills: .venv/installed.txt ## the faults that take minutes: long outages, full disks, hundreds of races (ARGS as above)
	@exec $(python) -m pytest --numprocesses 2 --dist loadfile -m drill $(ARGS)

chaos: .venv/installed.txt ## purchases while every part is killed at random (SECONDS=120, SEED=the one printed)
	@exec $(python) -m dev chaos

lint: .venv/installed.txt ## style, types, and who may import whom
	@$(python) -m ruff check
	@$(python) -m ruff format --check
	@$(python) -m mypy
	@.venv/bin/lint-imports

bench: .venv/installed.txt ## what it costs, as ratios measured side by side
	@exec $(python) -m bench

env: .venv/installed.txt ## a .env with fresh secrets for docker compose
	@exec $(python) -m dev env

lock: .venv/installed.txt ## requirements/*.txt anew from pyproject.toml
	$(call lock,dev)
	@for extra in $(extras); do echo "requirements/$$extra.txt"; $(call lock,$$extra,--constraint requirements/dev.txt) || exit 1; done

.venv/installed.txt: requirements/dev.txt
	@sh dev/install.sh
