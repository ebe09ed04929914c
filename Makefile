# `make` lists the commands.
.DEFAULT_GOAL := help
.PHONY: help run demo seed logs psql test unit drills fuzz chaos coverage bench lint types fix env migration openapi asyncapi lock tests

python := .venv/bin/python
unexport PYTHONDONTWRITEBYTECODE # with it, each of the many processes of the tests and of `make run` would compile the same files
extras := auth catalog payments sandbox run
lock = .venv/bin/uv pip compile --quiet $(2) --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --no-annotate --output-file requirements/$(1).txt

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

run: .venv/installed-run.txt ## start the whole shop on this machine; stop it with Ctrl-C
	@exec $(python) -m dev run

demo: .venv/installed-run.txt ## make one purchase, from registration to delivery (GATEWAY=url: in the shop behind that gateway; GUEST=1: a guest buys; TRANSFER=1: by bank transfer; SERVER=1: a merchant's server buys for its customer)
	@exec $(python) -m dev demo

seed: .venv/installed-run.txt ## fill the catalog of `make run` with products, stock and orders (SIZE=100000: the number of products)
	@exec $(python) -m dev seed

logs: .venv/installed-run.txt ## follow the log files of `make run` (SERVICE=payments: only those of payments)
	@exec $(python) -m dev logs

psql: .venv/installed-run.txt ## open psql on a database of `make run` (SERVICE=auth|catalog|payments)
	@exec $(python) -m dev psql

test: .venv/installed.txt ## run all tests except the drills, with real servers (ARGS="tests/integration/auth -k login")
	@exec $(python) -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder $(ARGS)

unit: .venv/installed.txt ## run the unit tests: no servers, no environment variables (ARGS as for test)
	@exec env -i PATH="$$PATH" HOME="$$HOME" $(python) -m pytest --confcutdir=tests/unit --hypothesis-profile quick \
		--numprocesses 3 --dist worksteal tests/unit $(ARGS)

drills: .venv/installed.txt ## run the tests that take minutes: long outages, full disks, hundreds of races (ARGS as for test)
	@$(python) -m pytest --numprocesses 2 --dist loadfile -m "drill and not alone" $(ARGS); together=$$?; \
	$(python) -m pytest -m "drill and alone" $(ARGS); alone=$$?; \
	case $$together$$alone in 00 | 05 | 50) ;; *) exit 1 ;; esac # 5: ARGS selects no test of this kind

fuzz: .venv/installed.txt ## send requests generated from the OpenAPI documents (EXAMPLES=100 per operation; SEED=number repeats a run)
	@exec $(python) -m dev fuzz

chaos: .venv/installed.txt ## make purchases while processes are killed at random (SECONDS=120; SEED=number repeats the random choices)
	@exec $(python) -m dev chaos

coverage: .venv/installed.txt ## run the tests and list the lines that no test executes (ARGS as for test)
	@exec $(python) -m pytest --numprocesses 2 --dist loadfile --cov --cov-report=term-missing:skip-covered $(ARGS)

bench: .venv/installed.txt ## measure throughput, latency and memory, and write bench/latest.json
	@exec $(python) -m bench

lint: .venv/installed.txt ## check style, types and import rules
	@$(python) -m ruff check
	@$(python) -m ruff format --check
	@$(python) -m mypy
	@.venv/bin/lint-imports

types: .venv/installed.txt ## check types only
	@exec $(python) -m mypy

fix: .venv/installed.txt ## fix style and formatting
	@$(python) -m ruff check --fix
	@$(python) -m ruff format

env: .venv/installed-run.txt ## write .env with fresh secrets for docker compose, unless it exists
	@exec $(python) -m dev env

migration: .venv/installed.txt ## write the next migration of a service from its changed models (SERVICE=catalog NAME="add weight")
	@exec $(python) -m dev migration

openapi: .venv/installed.txt ## write docs/openapi/*.json from the services' routes
	@exec $(python) -m dev openapi

asyncapi: .venv/installed.txt ## write docs/asyncapi.yaml from contracts/
	@exec $(python) -m dev asyncapi

lock: .venv/installed.txt ## write requirements/*.txt from pyproject.toml
	$(call lock,dev,pyproject.toml --extra dev)
	$(call lock,uv,--group uv --constraint requirements/dev.txt)
	@for extra in $(extras); do echo "requirements/$$extra.txt"; \
		$(call lock,$$extra,pyproject.toml --extra $$extra --constraint requirements/dev.txt) || exit 1; done

# Without this rule, `make tests` would find the folder and do nothing.
tests:
	@echo "there is no command 'tests': use make test" >&2; exit 2

.venv/installed-run.txt: requirements/run.txt
	@sh dev/install.sh run

.venv/installed.txt: requirements/dev.txt
	@sh dev/install.sh dev
