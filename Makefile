# Two commands: `make demo` sets everything up and runs the main job; `make test` sets everything up and tests it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
READY := $(VENV)/.ready
DEMO := demo/lake
# What is quick to see comes first: encoders, and the controls that every claim stands beside. Then the noise of two generators, and what two
# text towers say of the captions, which the map between their models is asked of.
QUICK := mini-clip-a,mini-clip-b,mini-dino,mini-resnet,mini-sd-a/leak50,mini-sd-a/latents,pixels-16,random-mini-dino
NOISE := mini-sd-a/ddim50,mini-sd-z/ddim25
TEXT := mini-clip-a/text,mini-clip-b/text
CORPUS := avatars:256
EDITED := Smiling,Eyeglasses,Wearing_Hat

.PHONY: help setup demo test test-long test-slow lint floors docs

help:
	@echo "make setup      set up alone: .venv with une_ray in it"
	@echo "make demo       set up, build the demo lake (256 avatars, twelve spaces), test, probe and edit it, draw its report"
	@echo "make test       set up and run the tests"
	@echo "make test-long  the tests that make test has no time for; CI runs both"
	@echo "make test-slow  every test that needs no GPU, for an hour"
	@echo "make lint       check format, style and types"
	@echo "make docs       build the documentation as a site, build/docs; no network"
	@echo "make floors     measure every figure of the mini zoo's model cards"

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "une_ray needs Python 3.11, 3.12 or 3.13 (torch $$(sed -n 's/^torch==//p' constraints.txt) does); name one with: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs]'
	@touch $(READY)

setup: $(READY)

demo: $(READY)
	@$(VENV)/bin/une build --corpus $(CORPUS) --spaces $(QUICK) --lake $(DEMO)
	@$(VENV)/bin/une probe --lake $(DEMO)
	@echo "A first look, while the noise of two generators is made:"
	@$(VENV)/bin/une report $(DEMO)
	@$(VENV)/bin/une build --corpus $(CORPUS) --spaces $(NOISE),$(TEXT) --lake $(DEMO)
	@$(VENV)/bin/une verify $(DEMO)
	@$(VENV)/bin/une gaussianity --lake $(DEMO) --spaces mini-sd-a/ddim50,mini-sd-z/ddim25,mini-dino
	@$(VENV)/bin/une probe --lake $(DEMO) --spaces $(QUICK),$(NOISE)
	@$(VENV)/bin/une transfer --lake $(DEMO) --source $(QUICK),$(NOISE) --target mini-clip-a,mini-clip-b,mini-dino
	@$(VENV)/bin/une map fit --lake $(DEMO) --from mini-clip-a --to mini-clip-b
	@$(VENV)/bin/une map apply --lake $(DEMO) --from mini-clip-a --to mini-clip-b --name mini-clip-b-mapped
	@$(VENV)/bin/une similarity --lake $(DEMO) --spaces mini-clip-a,mini-clip-b,mini-dino,mini-sd-a/ddim50,pixels-16 --draws 2
	@$(VENV)/bin/une sql --lake $(DEMO) -c "SELECT * FROM agreement('mini-sd-a/ddim50', 'mini-dino') LIMIT 5"
	@$(VENV)/bin/une edit --lake $(DEMO) --space mini-sd-a/ddim50 --attribute $(EDITED) --keep correlated --alphas=-3,3 --images 4 --inner covariance --shrinkage 0.3 --baselines random,prompt --judges mini-resnet
	@$(VENV)/bin/une report $(DEMO)

test: $(READY)
	$(VENV)/bin/python -m pytest -n 2 --dist loadscope -m "not slow and not long and not gpu and not ray"
	$(VENV)/bin/python -m pytest -m "ray and not slow and not long and not gpu"

test-long: $(READY)
	$(VENV)/bin/python -m pytest -m "long and not slow and not gpu"

test-slow: $(READY)
	$(VENV)/bin/python -m pytest -m "not gpu"

lint: $(READY)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

floors: $(READY)
	$(VENV)/bin/python jobs/evaluate_mini_zoo.py

docs: $(READY)
	@$(VENV)/bin/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo build/docs/index.html
