# Entrepot. `make run` builds and starts a server, `make test` installs what it needs and runs everything.
# Each target runs alone.

GO      ?= go
BIN     := bin/entrepot
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZ    ?= 10s

.PHONY: setup build run test unit race lint api-docs fuzz bench bench-import e2e clean

setup: ## install what tests and benchmarks need from the system's packages
	./packaging/setup.sh

build: ## bin/entrepot
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./app/entrepot

run: build ## a server on 127.0.0.1:8081 with its data in ./data
	$(BIN) serve --data ./data --listen 127.0.0.1:8081

unit: ## Go tests: offline, loopback only
	$(GO) test ./...

race: ## Go tests under the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

lint: ## formatting, vet and static analysis
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet -tags e2e ./...
	$(GO) tool staticcheck -tags e2e ./...
	./packaging/api-docs.sh check

api-docs: ## the description of the native API, made of the comments in app/api
	./packaging/api-docs.sh write

fuzz: ## each fuzz target for FUZZ (default 10s)
	./packaging/fuzz.sh $(FUZZ)

e2e: build ## real clients and recorded replies against the binary
	./e2e/run.sh

bench: build ## figures against nginx on the same files, in one run
	$(GO) run ./bench

bench-import: build ## figures of importing a data directory of 200,000 assets, which takes minutes and 12 GiB
	$(GO) run ./bench -only import

test: setup lint unit e2e ## everything that CI runs

clean:
	rm -rf bin data .cache
