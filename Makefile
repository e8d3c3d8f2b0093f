# One vocabulary for people and for CI. "make help" lists it.
.DEFAULT_GOAL := help
GO ?= go
TOOL := $(GO) tool -modfile=tools/go.mod

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: build
build: ## build the host and the plugins into bin/
	$(GO) build -trimpath -o bin/host ./cmd/host
	$(GO) build -trimpath -o bin/harpia-store-memory ./plugins/memory
	$(GO) build -trimpath -o bin/harpia-store-file ./plugins/file

.PHONY: run
run: build ## serve the cache over HTTP, its data in ./data
	bin/host --store file:./data serve

.PHONY: test
test: ## run all tests (TESTFLAGS=-race adds the race detector, which needs a C compiler)
	$(GO) test $(TESTFLAGS) ./...

.PHONY: lint
lint: ## check format, vet, staticcheck, the proto and the generated code
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) buf lint
	$(MAKE) gen
	git diff --exit-code -- shared/storepb

.PHONY: gen
gen: ## generate shared/storepb from the proto
	$(TOOL) buf generate

.PHONY: fuzz
fuzz: ## fuzz every parser for FUZZTIME each (default 30s)
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$f); do \
			$(GO) test -run='^$$' -fuzz="^$$name$$" -fuzztime=$(or $(FUZZTIME),30s) ./$$(dirname $$f) || exit 1; \
		done; \
	done

.PHONY: ci
ci: ## what CI runs
	.ci/run

.PHONY: clean
clean: ## remove what was built; ./data stays
	rm -rf bin
