# The commands of the course. `make help` lists them; README.md says what to expect of each.
.DEFAULT_GOAL := help
.PHONY: help course test book pdf publish studies bench classroom slides exam questions marks usb fork lab lock phantom

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
RUN := $(BIN)/python
# Windows, too, shall write and read UTF-8.
export PYTHONUTF8 := 1
export PYTHONIOENCODING := utf-8
# Packages go into .venv, and its Python is its own, whatever else this shell works with.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PYTHONHOME PYTHONOPTIMIZE PYTHONSAFEPATH
# Git sets these in hooks: what the course commits would go into the repository of the hook.
unexport GIT_DIR GIT_COMMON_DIR GIT_INDEX_FILE GIT_WORK_TREE GIT_PREFIX
# Keras does not read the settings of other work in the home folder, nor stop before the end.
unexport KERAS_MAX_EPOCHS KERAS_MAX_STEPS_PER_EPOCH
export KERAS_HOME := $(CURDIR)/runs/keras
# Linux keeps what TensorFlow frees after a step; giving it back can take half of the time.
export MALLOC_TRIM_THRESHOLD_ := 100000000000
export MALLOC_MMAP_MAX_ := 0
export MALLOC_ARENA_MAX := 1
STAMP := .venv/.installed

help: ## list the commands
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

course: $(STAMP) ## run all chapters on the best data there is and render the book to _build/html
	@$(RUN) -m tools.book.run_course

test: $(STAMP) ## check everything: style, code, notebooks, book
	@$(RUN) -m tools.book.run_tests

book: $(STAMP) ## render the stored notebooks to _build/html, running nothing
	@$(RUN) -m tools.book.render

pdf: $(STAMP) ## print the whole book, without solutions, to _build/reading-skin.pdf (needs Chromium)
	@$(RUN) -m tools.book.pdf

publish: $(STAMP) ## run in full on the real images and store outputs and weights (CHAPTERS="03 06": these)
	@$(RUN) -m tools.book.publish $(CHAPTERS)
	@$(RUN) -m tools.results.stand_ins
	@$(RUN) -m tools.results.studies --list
	@$(RUN) -m tools.results.cards

studies: $(STAMP) ## make the long runs that chapters 7 to 12 read, those that are missing (needs the real images)
	@$(RUN) -m tools.results.studies $(ONLY)

bench: $(STAMP) ## measure how long things take and what they hold in memory (up to 20 minutes)
	@$(RUN) -m tools.measure.bench

classroom: $(STAMP) ## write a class's own repository, without solutions (FOLDER=_build/classroom URL=https://github.com/you/class)
	@$(RUN) -m tools.teach.student "$(FOLDER)" $(URL)

slides: $(STAMP) ## make a deck of slides for every chapter in _build/slides, running nothing
	@$(RUN) -m tools.teach.slides

exam: $(STAMP) ## an exam sheet without answers and its key, in _build/exam: QUESTIONS="3 4 6 8"
	@$(RUN) -m tools.teach.questions --exam $(QUESTIONS)

questions: $(STAMP) ## quizzes and exam choices for Moodle, Canvas and Blackboard, in _build/questions
	@$(RUN) -m tools.teach.questions

marks: given-folder $(STAMP) ## run submitted notebooks and write a table and reports to _build/marks: FOLDER=path
	@$(RUN) -m tools.teach.marks "$(FOLDER)"

usb: $(STAMP) ## fill _build/usb for a room without internet: for students and for the teacher (2 GB)
	@$(RUN) -m tools.book.render
	@$(RUN) -m tools.teach.usb

fork: given-url $(STAMP) ## let everything point to your fork: URL=https://github.com/you/name (BRANCH=main)
	@$(RUN) -m tools.book.set_repository $(URL) $(BRANCH)

lab: $(STAMP) ## open the notebooks in JupyterLab
	@$(RUN) -m jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/chapters \
	  $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)

lock: $(STAMP) ## compile requirements.lock anew from pyproject.toml (needs a network)
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(RUN) -m uv pip compile pyproject.toml --extra cpu --extra dev \
	  --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --quiet --output-file requirements.lock
	@echo "requirements.lock is up to date; the next command installs what changed."

# Asked for before anything is installed.
.PHONY: given-folder given-url
given-folder:
	@test -n "$(FOLDER)" || { echo "Name the folder with what was handed in: make marks FOLDER=path" >&2; exit 2; }

given-url:
	@test -n "$(URL)" || { echo "Name the fork: make fork URL=https://github.com/you/name" >&2; exit 2; }

phantom: $(STAMP) ## fit the synthetic stand-in data set again (needs the real images)
	@$(RUN) -m tools.results.phantom

# One installation serves every command: this stamp is newer than requirements.lock once it is done.
# PYTHON=/path/to/python chooses the interpreter; otherwise the newest suitable one is taken.
# TensorFlow has no packages for Intel Macs and for Windows on Arm; onnxruntime wants macOS 14.
CANNOT := import platform as p, sysconfig; mac = p.system() == "Darwin"; old = mac and (p.machine() != "arm64" or int(p.mac_ver()[0].split(".")[0]) < 14); raise SystemExit(not old and sysconfig.get_platform() != "win-arm64")
VERSION := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
SUITABLE := import venv, ensurepip; $(VERSION)
# A .venv whose Python is gone, or is one of another version, is made anew.
WORKS := $(shell unset PYTHONHOME; $(RUN) -c '$(VERSION)' 2>/dev/null && echo yes)

.PHONY: anew
$(STAMP): requirements.lock $(if $(WORKS),,anew)
	@set -e; \
	if test -z "$(WORKS)" || ! $(RUN) -m pip --version >/dev/null 2>&1; then \
	  found=; \
	  for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
	    if "$$python" -c '$(SUITABLE)' >/dev/null 2>&1; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "The course needs Python 3.11, 3.12 or 3.13 with its venv module, and found none$(if $(PYTHON), at $(PYTHON))." >&2; \
	    echo "Install one (Debian and Ubuntu: sudo apt-get install python3 python3-venv), or name it:" >&2; \
	    echo "    make $(or $(MAKECMDGOALS),course) PYTHON=/path/to/python3.13" >&2; \
	    exit 1; \
	  fi; \
	  if "$$found" -c '$(CANNOT)'; then \
	    echo "The packages do not exist for this computer (an Intel Mac, macOS before 14, or Windows on Arm), or for $$found on it." >&2; \
	    echo "Nothing was fetched. Open the chapters in Colab (the rocket above each), or see troubleshooting.md." >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating .venv with $$("$$found" --version)"; \
	  "$$found" -m venv --clear .venv; \
	fi; \
	echo "Installing the packages of requirements.lock into .venv (about 2.5 GB; takes some minutes)"; \
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	touch $(STAMP); \
	echo "Installed."
