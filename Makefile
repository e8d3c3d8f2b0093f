# One vocabulary for people and for CI. "make help" lists it.
.DEFAULT_GOAL := help
GO ?= go
# The same flags for all, the go commands of the tests among them: what is
# compiled once serves everywhere.
export GOFLAGS += -trimpath
TOOL := $(GO) tool -modfile=tools/go.mod

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

# A plugin is hashed and copied each time that it is started: without debug
# information, a quarter less of it.
.PHONY: build
build: ## build the host and the plugins into bin/, and pin the plugins
	install -d -m 0755 bin
	$(GO) build -o bin/host ./cmd/host
	$(GO) build -ldflags=-w -o bin/harpia-store-memory ./plugins/memory
	$(GO) build -ldflags=-w -o bin/harpia-store-file ./plugins/file
	$(GO) build -ldflags=-w -o bin/harpia-store-redis ./plugins/redis
	bin/host plugins trust --lock bin/plugins.lock bin/harpia-store-memory bin/harpia-store-file bin/harpia-store-redis

.PHONY: run
run: build ## serve the cache over HTTP, its data in ./data
	bin/host --store file:./data serve

.PHONY: test
test: ## run all tests; installs the servers and tools that they need, or says which to install
	@tools/servers.sh
	@tools/openapi.sh
	$(GO) test ./...

.PHONY: bench-test
bench-test: ## vet and test the bench, which is a module of its own
	cd bench && $(GO) vet ./... && $(GO) test ./...

# The packages in which goroutines meet, but for tests that count in one
# goroutine, and those whose work is in other processes, which start slowly
# under the race detector. pebble checks its own invariants under it, which is
# slow: of the file store, the tests of concurrency. Those of Redis run the
# plugin's own process under it too.
ALONE := HitsAsOften|FreshKeys|HoldsItsBounds
PROCESSES := Conformance|RollsBack|AnotherUser|OnlyTheHost|PrivateFiles|Leaks|Swapped|Orphans|IsClosedAllTheSame|OpenFails|OneByte|CallsWait|Overflows|KilledFile|RunningCopy|Trusted|Environment|Pins
.PHONY: race
race: ## run the tests of concurrent code with the race detector (needs a C compiler)
	$(GO) test -race -skip '$(ALONE)|$(PROCESSES)' ./cache ./cache/pluginstore ./shared ./internal/server
	$(GO) test -race -run 'Atomicity|Batches|Clear|Model|Close|Bound|Sweep|Hot' ./plugins/file
	$(GO) test -race -run 'SlotMovesUnderLoad|WatchTells|WatchLost|NearOverRedis|GivesUp|ComesBack' ./plugins/redis

# What is compiled to be looked at only need not be fast: this saves a quarter.
UNOPTIMIZED := -gcflags=all='-N -l'
.PHONY: lint
lint: ## check format, vet for each system, staticcheck, and that the generated code is up to date
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	for os in darwin windows; do CGO_ENABLED=0 GOOS=$$os $(GO) vet $(UNOPTIMIZED) ./... || exit 1; done
	$(TOOL) staticcheck ./...
	@sha256sum --check --quiet $(GENSUM) || { echo "the proto or the generated code has changed: run make gen and commit all of it"; exit 1; }

# What the generated code depends on, and the code itself. The sums are written
# by gen, which takes minutes to build its tools the first time; lint compares
# them.
GENSUM := shared/storepb/sums
GENERATED := shared/proto/harpia/store/v1/store.proto buf.yaml buf.gen.yaml tools/go.mod shared/storepb/store.pb.go shared/storepb/store_grpc.pb.go

.PHONY: gen
gen: ## check the proto and generate shared/storepb from it
	$(TOOL) buf lint
	$(TOOL) buf generate
	sha256sum $(GENERATED) > $(GENSUM)

.PHONY: gen-check
gen-check: gen ## check that gen reproduces what is committed, byte for byte
	git diff --exit-code -- shared/storepb

.PHONY: fuzz
fuzz: ## fuzz every parser for FUZZTIME each (default 30s)
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
			$(GO) test -run='^$$' -fuzz="^$$name$$" -fuzztime=$(or $(FUZZTIME),30s) ./$$(dirname $$f) || exit 1; \
		done; \
	done

# SEED repeats a run; STORE and FAULT choose what is disturbed and how; MEASURE=N
# measures N deaths of the file plugin instead. See CONTRIBUTING.md.
.PHONY: chaos
chaos: build ## kill and disturb plugins CYCLES times (default 200) and check what callers saw
	$(GO) build -o bin/chaos ./cache/pluginstore/chaos
	@bin/chaos -plugins bin -cycles $(or $(CYCLES),200) $(if $(SEED),-seed $(SEED)) $(if $(STORE),-store $(STORE)) $(if $(FAULT),-fault '$(FAULT)') $(if $(MEASURE),-measure $(MEASURE)) $(CHAOSFLAGS)

# The bench is a module of its own, so that what it compares with reaches
# nobody's dependencies. It needs redis-server. GROUP is a regular expression
# over the names of groups; BENCHFLAGS are described by BENCHFLAGS=-help.
.PHONY: bench
bench: ## measure this project beside its rivals, and draw docs/growth.svg (about 10 min)
	cd bench && $(GO) run . -growth ../docs/growth.svg $(if $(GROUP),-group '$(GROUP)') $(BENCHFLAGS)

.PHONY: bench-check
bench-check: ## measure what bench/targets.json promises, and fail for each ratio that falls short
	cd bench && $(GO) run . -check targets.json $(if $(GROUP),-group '$(GROUP)') $(BENCHFLAGS)

.PHONY: ci
ci: ## what CI runs
	.ci/run

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin
