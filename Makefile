# make demo    everything with an example campaign, in a browser; nothing to install before
# make test    all checks and tests, with a real PostgreSQL and a real browser
# make unit    the tests that need neither, in a minute
# make lint    the checks alone: style, types, django
# make setup   the virtual environment alone
# make lab     what experiments need beside it (python -m al_lab)
# make words   the catalogs of translations, after a change of what people read
# make upgrade the newest versions that requirements*.txt allow, into the locks

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# `cuda` is the build of PyPI, which is for CUDA on Linux only; `cpu` is PyTorch's own for the CPU,
# for a pip that is set up to find it. Empty: that one where pip finds it.
TORCH ?=
# A lock names all that is needed: pip looks for nothing beside it.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps
# State goes to a folder of its own, so that a check never touches an installation's var/.
APART := set -e; NOWAIT_VAR=$$(mktemp -d); export NOWAIT_VAR; trap 'rm -rf "$$NOWAIT_VAR"' EXIT; set -x;

.PHONY: setup lab setup-dev browser proxies demo words upgrade test unit lint style types django clean

setup: .venv/installed

.venv/installed: requirements.lock $(wildcard requirements-torch*.lock)
	@command -v $(PYTHON) >/dev/null || { echo "Nowait needs Python 3.11 or newer, and there" \
		"is no $(PYTHON): install it, or name another one by PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import platform, sys; sys.version_info >= (3, 11) or sys.exit( \
		"Nowait needs Python 3.11 or newer, and $(PYTHON) is " + platform.python_version() + \
		": install a newer one and name it, like PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@torch="$(TORCH)"; if [ -z "$$torch" ]; then \
		torch=cuda; build=$$(sed -n 's/^torch==\([^ ]*\).*/\1/p' requirements-torch-cpu.lock); \
		if $(BIN)/python -m pip index versions torch 2>/dev/null | grep -qF "$$build"; then torch=cpu; fi; fi; \
		set -x; $(INSTALL) -r requirements.lock -r requirements-torch-$$torch.lock
	@touch $@

lab: .venv/installed-lab

.venv/installed-lab: .venv/installed requirements-lab.lock
	$(INSTALL) -r requirements-lab.lock
	@touch $@

# With the lab, for tests run it.
setup-dev: .venv/installed-dev

.venv/installed-dev: .venv/installed-lab requirements-dev.lock
	$(INSTALL) -r requirements-dev.lock
	@$(BIN)/python -m pip check
	@touch $@

# Chromium's headless shell, which draws a page at half the cost of the whole browser: the system's
# where Debian's package manager can be used, else playwright's own.
browser: setup-dev
	@if command -v chromium-headless-shell >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			chromium-headless-shell || command -v chromium; \
	elif command -v chromium >/dev/null; then :; \
	else $(BIN)/playwright install --only-shell chromium; fi

# nginx and Caddy, in front of which the documented configurations are tried, where Debian's package
# manager can be used; tests run their own, so the services that come with the packages are not.
proxies:
	@missing=; for each in nginx caddy; do command -v $$each >/dev/null || missing="$$missing $$each"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; \
		if [ -d /run/systemd/system ]; then systemctl disable --now $$missing; fi; fi

demo: setup
	$(BIN)/python manage.py demo $(ARGS)

# `.pre-commit-config.yaml` runs the same three.
lint: style types django

style: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup-dev
	@$(APART) $(BIN)/mypy .

django: setup-dev
	@$(APART) $(BIN)/python manage.py makemigrations --check --dry-run; \
		$(BIN)/python manage.py check --deploy --fail-level WARNING; \
		ALLOWED_HOSTS=example.org $(BIN)/python manage.py check --deploy --fail-level WARNING

# Three processes, each with a database of its own: on two cores, since tests wait for something a
# third of the time. In the order of tests/conftest.py, which begins with the files that take longest.
# A thread of torch's for each: threads of several processes on the same cores wait for one another.
test: setup-dev browser proxies
	@$(MAKE) --no-print-directory -j 3 lint  # side by side: mypy takes one core a minute
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# Neither a database nor a browser, and none of what takes seconds by itself.
unit: setup-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" tests/unit $(ARGS)

# What people read: gathers what the code says into locale/ and compiles the translations.
words: setup-dev
	@$(APART) PYTHONPATH=. $(BIN)/python tests/translations.py

# The tests say when a change of the ranges needs it.
upgrade: setup-dev
	$(BIN)/python tests/locks.py

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +
