# Everything that one does with the book. Each target that needs .venv makes it, once.
#
#   make book                  the finished book in _build/html
#   make test                  every test, with the chapters and the built book
#   make chapter CH=01         one chapter into _build/runs (PROFILE=full, P="-p name value")
#   make bench CH=01           the chapter's benchmarks (P="--option value" goes to them)
#   make keep CH=01            copy what its runs measured to results/, and what they trained
#                              to audiostyle_utils/pretrained/
#   make test-gpu              the chapters on a graphics card, against bounds (CH="06 07")
#   make test-colab            two chapters with Colab's own versions (several GB; no .venv)
#   make workshop              notebooks for students and teachers, slides (P="--kit": and a kit
#                              that installs without a network)
#   make links REPO=owner/name point every link at your copy of the repository
#   make clean                 remove what was built; .venv stays
#
# PROFILE is quick (the default; of test-gpu it is colab), colab or full. PYTHON names a
# Python of 3.11 to 3.13. JOBS says how many tests and chapters `make test` runs at once: 2 if
# there are two cores.

.DEFAULT_GOAL := help
.PHONY: help env book test test-gpu test-colab chapter bench keep workshop links clean

PROFILE ?= quick
export PROFILE CH P REPO JOBS

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
RUN := .venv/bin/python -m book._tools

define FIND
set -e; found=; \
for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11); do \
  if "$$python" -c '$(SUPPORTED)' 2>/dev/null; then found=$$python; break; fi; \
done; \
if [ -z "$$found" ]; then \
  echo "No Python of 3.11 to 3.13 was found: install one, or name it: make book PYTHON=/path/to/python3" >&2; \
  exit 1; \
fi;
endef

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

env:
	@$(FIND) "$$found" book/_tools/environment.py

book: env
	@$(RUN).build

test: env
	@$(RUN).check

test-gpu: PROFILE = colab
test-gpu: env
	@$(RUN).gpu

test-colab:
	@$(FIND) "$$found" -m book._tools.colab

chapter: env
	@$(RUN).chapter

bench: env
	@$(RUN).bench

keep: env
	@$(RUN).keep

workshop: env
	@$(RUN).workshop

links: env
	@$(RUN).links

clean:
	rm -rf _build .coverage .pytest_cache .ruff_cache .hypothesis chapters/*.mp3
