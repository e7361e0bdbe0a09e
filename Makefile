# Two commands for a newcomer: make quickstart, make test.

GO      ?= go
BIN     := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
PLUGINS := $(notdir $(patsubst %/main.go,%,$(wildcard plugins/*/main.go)))
LINT    := $(GO) tool -modfile=tools/lint/go.mod golangci-lint

export CGO_ENABLED = 0

.PHONY: build
build: $(BIN)/hone $(addprefix $(BIN)/hone-plugin-,$(PLUGINS)) ## the host and every plugin, into bin/

.PHONY: FORCE
$(BIN)/hone: FORCE
	@mkdir -p $(BIN)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./host/cmd/hone

$(BIN)/hone-plugin-%: FORCE
	@mkdir -p $(BIN)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./plugins/$*

.PHONY: quickstart
quickstart: build ## fine-tune a very small model and see the difference
	$(BIN)/hone quickstart

.PHONY: quickstart-model
quickstart-model: build ## train the quickstart's base model again, from nothing
	rm -rf $(BIN)/recipe && $(GO) run ./examples/quickstart/recipe $(BIN)/recipe
	$(BIN)/hone run examples/quickstart/recipe/pretrain.hone.hcl -var folder=$(CURDIR)/$(BIN)/recipe -run-dir $(BIN)/recipe/run
	rm -rf examples/quickstart/model
	$(BIN)/hone export $(BIN)/recipe/run merged -dtype bfloat16 -o examples/quickstart/model
	cp $(BIN)/recipe/lessons.jsonl examples/quickstart/

.PHONY: smollm2
smollm2: build ## fine-tune SmolLM2-135M-Instruct; MODEL=path.gguf or hf://… to use another copy
	MODEL='$(MODEL)' examples/smollm2/run.sh

.PHONY: test
test: ## every test
	$(GO) test $(TESTFLAGS) ./...

.PHONY: race
race: ## the host and the SDK under the race detector, which needs cgo
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./host/... ./sdk/...

.PHONY: soak
soak: ## kill plugins and hosts at random moments, 50 times each
	HONE_SOAK=50 $(GO) test -count=1 -timeout 60m -run 'TestKill' ./test/e2e

.PHONY: kernels
kernels: ## compile every CUDA kernel for every GPU, without one; NVRTC=folder to use that libnvrtc
	$(GO) run ./plugins/cuda-kernels/specimens $(if $(NVRTC),-nvrtc '$(NVRTC)')

.PHONY: lint
lint: ## what CI's linter says
	$(LINT) run ./...

.PHONY: generate
generate: ## generated code, docs and assembly
	$(GO) generate ./...

.PHONY: released
released: ## at a release: what later messages have to be compatible with
	cd sdk/proto && $(GO) tool -modfile=../../tools/proto/go.mod buf build -o released.binpb --exclude-source-info

.PHONY: cross
cross: ## the host and the plugins for the other platforms they are for
	for platform in linux/arm64 darwin/amd64 darwin/arm64; do \
	  echo $$platform; GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) build -o /dev/null ./host/... ./sdk/... ./plugins/... || exit 1; \
	done

.PHONY: help
help:
	@awk -F':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
