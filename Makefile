# make help lists the targets. Needed: Go 1.25 or later, Python 3 with venv, make.

GO ?= go
# python3 may be a shim or a virtual environment: the executable behind it counts.
PYTHON ?= $(shell python3 -c 'import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable))')
PYTEST = .venv/bin/python -m pytest -rs pytests
# The tests wait a good deal, for programs that they start and for deadlines.
PROCESSES ?= $(shell python3 -c 'import os; print((os.cpu_count() or 1) + 1)')
TOGETHER = -n $(PROCESSES)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME ?= 10s

# The race detector needs cgo, and so a C compiler.
CC_FOUND = $(shell command -v $$($(GO) env CC | cut -d' ' -f1) 2>/dev/null)

.PHONY: help server client demo test check bench fuzz cover fmt lint corpus readme clean
.PHONY: go-fmt go-vet go-test go-thorough py-test py-check vuln bench-once

help: ## lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1	/' | expand -t 10

server: ## builds bin/pickle-server
	@mkdir -p bin
	$(GO) build -o bin/pickle-server ./server/cmd/pickle-server

client: ## builds bin/pickle-client
	@mkdir -p bin
	$(GO) build -o bin/pickle-client ./client/cmd/pickle-client

demo: server client .venv/made ## holds the seed's two conversations and prints them
	@.venv/bin/python pytests/demo.py

test: go-fmt go-vet go-test py-test ## gofmt, vet, the Go tests, and the pytests with one Python
	@echo "== make test: passed"

check: lint vuln go-thorough py-check bench-once fuzz ## what is slower: every CPython found, lint, payloads, fuzzing, benchmarks
	@echo "== make check: passed"

fmt: ## formats the Go files
	gofmt -w $$(git ls-files '*.go')

go-fmt:
	@echo "== gofmt"
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted:"; echo "$$out"; exit 1; }

go-vet:
	@echo "== go vet"
	@$(GO) vet ./...

ifneq ($(CC_FOUND),)
go-test:
	@echo "== go test -race"
	@CGO_ENABLED=1 $(GO) test -race -p $(PROCESSES) ./...
else
go-test:
	@echo "== go test (no C compiler found: without the race detector)"
	@$(GO) test -p $(PROCESSES) ./...
endif

# Made anew whenever requirements.txt changes.
.venv/made: requirements.txt
	@echo "== .venv from $(PYTHON)"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) has no venv module (Debian: apt install python3-venv); PYTHON=... names another"; rm -rf .venv; exit 1; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt || { rm -rf .venv; exit 1; }
	@touch $@

.venv-payloads/made: pytests/requirements-payloads.txt
	@echo "== .venv-payloads from $(PYTHON)"
	@rm -rf .venv-payloads
	@$(PYTHON) -m venv .venv-payloads
	@.venv-payloads/bin/python -m pip install --quiet --disable-pip-version-check -r pytests/requirements-payloads.txt || { rm -rf .venv-payloads; exit 1; }
	@touch $@

py-test: server client .venv/made
	@echo "== pytest, one Python"
	@$(PYTEST) $(TOGETHER)

py-check: server client .venv/made .venv-payloads/made
	@echo "== pytest, every CPython found"
	@PICKLEBRIDGE_PYTHONS=all $(PYTEST) $(TOGETHER) -m 'not alone'
	@PICKLEBRIDGE_PYTHONS=all $(PYTEST) -q -m alone

lint: ## staticcheck
	@echo "== staticcheck"
	@$(GO) run $(STATICCHECK) ./...

# The database lies on the network; without it nothing can be said. go run turns
# govulncheck's exit code 3 (something was found) into a last line that names it.
vuln:
	@echo "== govulncheck"
	@if out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); then echo "$$out" | tail -n 1; \
	elif echo "$$out" | grep -q '^exit status 3$$'; then echo "$$out"; exit 1; \
	else echo "not run, its database cannot be reached:"; echo "$$out" | tail -n 3; fi

# The race detector makes Go ten times slower: with it, tests of many cases take some of them.
go-thorough:
	@echo "== go test, every case"
	@$(GO) test -p $(PROCESSES) ./...
	@echo "== 10,000 idle connections, 500 slow senders, 50,000 connects and closes"
	@PICKLEBRIDGE_THOROUGH=1 $(GO) test ./server/cmd/pickle-server

bench: ## prints the tables of pickleproto/bench: CPython, this codec, its peers
	cd pickleproto/bench && $(GO) run . $(BENCHFLAGS)

bench-once:
	@echo "== each benchmark once"
	@$(GO) test -run '^$$' -bench . -benchtime 1x ./...
	@cd pickleproto/bench && $(GO) vet ./... && $(GO) test ./... && $(GO) run . -rounds 1 -window 1ms -largest 1 >/dev/null

# Go sometimes calls it a failure (context deadline exceeded) when the time ends while a worker is busy. An
# input that does fail is kept in testdata, and fails again.
fuzz: ## runs each fuzz target for FUZZTIME (10s)
	@for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "== $$target $(FUZZTIME)"; \
			fuzz() { $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$package; }; \
			fuzz || { echo "== $$target once more"; fuzz; } || exit 1; \
		done; \
	done

cover: ## shows the statement coverage of pickleproto and its transports, 95 % at least, the least covered function first
	@$(GO) test -short -coverprofile=.cover.out -coverpkg=./pickleproto,./pickleproto/transport ./... > .cover.log 2>&1 || { cat .cover.log; exit 1; }
	@$(GO) tool cover -func=.cover.out | grep -v -e '100.0%' -e '^total:' | awk '{ print $$NF, $$1, $$2 }' | sort -n
	@awk 'NR > 1 { n[$$1] = $$2; if ($$3 > 0) hit[$$1] = 1 } \
		END { for (k in n) { d = k; sub(/\/[^\/]*$$/, "", d); all[d] += n[k]; if (k in hit) got[d] += n[k] } \
		for (d in all) { printf "%.1f%% of the statements of %s\n", 100 * got[d] / all[d], d; if (got[d] < 0.95 * all[d]) low = 1 } exit low }' .cover.out

corpus: .venv/made .venv-payloads/made ## writes the golden corpus anew, with every CPython found
	.venv/bin/python pytests/make_corpus.py

readme: server client .venv/made ## writes the generated parts of README.md anew
	PICKLEBRIDGE_PYTHONS=all PICKLEBRIDGE_WRITE_README=1 $(PYTEST) -k readme

clean: ## removes what the targets made
	rm -rf bin .venv .venv-* .demo
