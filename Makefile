# ARCH is where the functions run: arm64 (the default) or x86_64.
ARCH      ?= arm64
GOARCH_OF := arm64=arm64 x86_64=amd64 amd64=amd64
GOARCH_IS := $(patsubst $(ARCH)=%,%,$(filter $(ARCH)=%,$(GOARCH_OF)))
FUNCTIONS := $(filter-out internal,$(notdir $(wildcard functions/*)))
TOOL      := go tool -modfile=.ci/tools.mod
BOOTSTRAP := CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -tags lambda.norpc
ARGS      ?=
FUZZTIME  ?= 10m

.PHONY: help demo test lint bench fuzz build local sandbox clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: local ## play the whole story on this machine, without AWS
	@build/local/sandbox demo $(ARGS)

test: .venv/ready .ci/node_modules/ready ## run every test, after setting up what they need
	@$(TOOL) gotestsum --format pkgname-and-test-fails -- $(or $(ARGS),./...)

lint: ## run the linters of .golangci.yml and the formatter's check
	@$(TOOL) golangci-lint run $(or $(ARGS),./...)

bench: ## run every benchmark, with its allocations
	@go test -run '^$$' -bench . -benchmem $(or $(ARGS),./pkg/...)
	@$(if $(ARGS),,cd .ci/bench && go test -mod=mod -run '^$$' -bench . -benchmem)

fuzz: ## run every fuzz target, one after another (FUZZTIME=10m for each)
	@grep -roE '^func Fuzz[A-Za-z]+' --include='*_test.go' pkg | sort | sed -E 's|/[^/]*:func | |' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s "./$$package" </dev/null || exit 1; \
	done

build: $(FUNCTIONS:%=build/linux-$(GOARCH_IS)/%/bootstrap) ## build the functions for Lambda (ARCH=arm64 or x86_64)

local: $(FUNCTIONS:%=build/local/%/bootstrap) build/local/sandbox
	@

sandbox: local .venv/ready ## serve the local stand-in for AWS (ARGS="--port 4566")
	@build/local/sandbox up $(ARGS)

clean: ## remove everything that was built or set up
	rm -rf build .sandbox .venv .ci/node_modules

# Go knows best what is up to date, so these always ask it.
build/linux-%/bootstrap: FORCE
	$(if $(GOARCH_IS),,$(error ARCH is arm64 or x86_64, not "$(ARCH)"))
	@GOOS=linux GOARCH=$(GOARCH_IS) $(BOOTSTRAP) -o $@ ./functions/$(notdir $*)

# Built as the tests build, so that both share one cache.
build/local/%/bootstrap: FORCE
	@CGO_ENABLED=0 go build -tags lambda.norpc -o $@ ./functions/$*

build/local/sandbox: FORCE
	@go build -o $@ ./cmd/sandbox

.venv/ready: .ci/requirements.txt
	@.ci/setup python

.ci/node_modules/ready: $(wildcard .ci/package-lock.json)
	@$(if $^,.ci/setup node,true)

FORCE:
