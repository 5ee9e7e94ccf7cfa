# ARCH is where the functions run: arm64 (the default) or x86_64.
ARCH      ?= arm64
GOARCH_OF := arm64=arm64 x86_64=amd64 amd64=amd64
GOARCH_IS := $(patsubst $(ARCH)=%,%,$(filter $(ARCH)=%,$(GOARCH_OF)))
FUNCTIONS := $(filter-out internal,$(notdir $(wildcard functions/*)))
LOCAL     := $(FUNCTIONS:%=build/local/%/bootstrap)
TOOL      := go tool -modfile=.ci/tools.mod
# Nothing of when and where goes in: same source and version, same bytes.
BOOTSTRAP  = go build -trimpath -buildvcs=false -ldflags="-s -w -X $(MODULE)/pkg/version.stamped=$(VERSION)" -tags lambda.norpc
MODULE    := github.com/gateway-grants/gateway-grants
ARGS      ?=
VERSION   ?= $(shell git describe --tags --always --dirty)
FUZZTIME  ?= 10m
# The long plays are the tests of the files with this build tag. They mostly wait, so that some play at once.
PLAYS      = $(shell grep -l '^//go:build e2e' cmd/sandbox/*_test.go | xargs grep -ho '^func Test[A-Za-z0-9]*' | cut -c 6- | paste -sd '|')

.PHONY: help demo check test interop e2e lint bench simulate fuzz build local sandbox standin lines validate package deploy destroy logs vulncheck reproducible clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: local ## play the whole story on this machine, without AWS
	@build/local/sandbox demo $(ARGS)

check: ## format, lint and run every test that needs only Go, in under a minute (ARGS=./pkg/plan)
	@$(TOOL) golangci-lint fmt
	@$(TOOL) golangci-lint run $(or $(ARGS),./...)
	@$(TOOL) gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg --packages '$(or $(ARGS),./...)' -- -short

test: .venv/ready .venv-sam/ready .ci/node_modules/ready .ci/qemu/ready build/chromium/ready build/terminal/ready $(LOCAL) ## run every test but the long plays, after setting up what they need
	@.ci/test $(ARGS)

e2e: .venv/ready .venv-sam/ready $(LOCAL) ## play the long plays on the template, deployed to the local cloud (ARGS=Administration)
	@mkdir -p build && : >build/flaky-plays.txt
	@$(TOOL) gotestsum --format standard-verbose --rerun-fails=1 --rerun-fails-max-failures=3 --rerun-fails-run-root-test --rerun-fails-report=build/flaky-plays.txt \
		--packages ./cmd/sandbox -- -tags e2e -timeout 60m -parallel 3 -run '$(or $(ARGS),^($(PLAYS))$$)'
	@if [ -s build/flaky-plays.txt ]; then echo "flaky, passed when played again: $$(tr '\n' ';' <build/flaky-plays.txt)"; else echo "no flaky play"; fi

interop: .venv/ready .venv-agents/ready .venv-mcp/ready .ci/node_modules/ready build/moto/ready local ## run clients and suites that we did not write, and write docs/interop.md
	@go test -tags interop -count=1 -timeout 30m $(if $(ARGS),-v -run 'TestClientsOfOthers/$(ARGS)') ./cmd/sandbox/interop $(if $(ARGS),,-args -write)

lint: validate ## run the linters of .golangci.yml and the formatter's check, and validate
	@$(TOOL) golangci-lint run $(or $(ARGS),./...)

bench: ## run every benchmark, with its allocations
	@go test -run '^$$' -bench . -benchmem $(or $(ARGS),./pkg/... ./functions/...)
	@$(if $(ARGS),,cd .ci/bench && go test -mod=mod -run '^$$' -bench . -benchmem)

simulate: ## play a million schedules of the reconcile loop (SIMULATIONS=1000000 SIMULATION_FROM=1)
	@SIMULATIONS=$(or $(SIMULATIONS),1000000) go test -count=1 -timeout 0 -v -run 'Schedule' ./pkg/reconcile/simulation

fuzz: ## run every fuzz target, one after another (FUZZTIME=10m for each)
	@grep -roE '^func Fuzz[A-Za-z]+' --include='*_test.go' pkg | sort | sed -E 's|/[^/]*:func | |' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s "./$$package" </dev/null || exit 1; \
	done

build: $(FUNCTIONS:%=build/linux-$(GOARCH_IS)/%.zip) ## build the functions for Lambda, as zips (ARCH=arm64 or x86_64)
	@for zip in $^; do echo "$$(sha256sum <$$zip | cut -c -64)  $$(stat -c %s $$zip) bytes  $$zip"; done

package: ## make a release that is deployed from a bucket, without Go (VERSION=1.2.3)
	@$(MAKE) --no-print-directory build ARCH=arm64 && $(MAKE) --no-print-directory build ARCH=x86_64
	@go run .ci/package.go build/gateway-grants-$(VERSION) $(VERSION)
	@sha256sum build/gateway-grants-$(VERSION)/SHA256SUMS

validate: .venv-sam/ready .venv-checkov/ready ## check template.yaml and every stack of infra/
	@.ci/validate

vulncheck: ## look for known vulnerabilities; asks their database on the internet
	@go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

deploy: .venv-sam/ready ## deploy to AWS; asks for what it has to know the first time
	@VERSION='$(VERSION)' infra/stack deploy

destroy: .venv-sam/ready ## remove the stack, unless grants are applied (KEEP=1 leaves them)
	@infra/stack destroy

logs: .venv-sam/ready ## follow the logs of the deployed functions
	@infra/stack logs $(ARGS)

lines: ## count lines of code, without comments, of product and stand-in
	@go run .ci/lines.go

reproducible: ## build the functions of this commit twice, in two places, and compare
	@commit=$$(git rev-parse HEAD) && for copy in first second; do \
		rm -rf build/$$copy && mkdir -p build/$$copy && git archive $$commit | tar -x -C build/$$copy && \
		$(MAKE) --no-print-directory -C build/$$copy build VERSION=$(VERSION) | sed 's|  .*/linux-|  linux-|' >build/$$copy.sums || exit 1; \
	done
	@diff build/first.sums build/second.sums && cat build/first.sums

local: $(LOCAL) build/local/sandbox
	@

sandbox: build/local/sandbox .venv/ready .venv-sam/ready ## deploy template.yaml to a local cloud, and serve it (ARGS="--port 4566")
	@build/local/sandbox up --cloud --then 'infra/stack local' $(ARGS)

standin: local .venv/ready ## serve the local cloud with template.yaml in it, deployed without SAM CLI
	@build/local/sandbox up $(ARGS)

clean: ## remove everything that was built or set up
	rm -rf build .sandbox .aws-sam .venv .venv-sam .venv-checkov .venv-agents .venv-mcp .ci/node_modules .ci/qemu

# Go knows best what is up to date, so these always ask it.
build/linux-%/bootstrap: FORCE
	$(if $(GOARCH_IS),,$(error ARCH is arm64 or x86_64, not "$(ARCH)"))
	@CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH_IS) $(BOOTSTRAP) -o $@ ./functions/$(notdir $*)

build/linux-%.zip: build/linux-%/bootstrap
	@go run .ci/zip.go $@ $<

# What `sam build` asks for, one for each function of template.yaml.
build-TableChangesFunction: build/linux-$(GOARCH_IS)/table-changes/bootstrap
build-GatewayEventsFunction: build/linux-$(GOARCH_IS)/gateway-events/bootstrap
build-OrganizationFunction: build/linux-$(GOARCH_IS)/organization/bootstrap
build-SweepFunction: build/linux-$(GOARCH_IS)/sweep/bootstrap
build-EchoFunction: build/linux-$(GOARCH_IS)/echo/bootstrap
build-%Function:
	@cp $< "$(ARTIFACTS_DIR)/bootstrap"

# Built as the tests build: what is compiled here is not compiled in their time.
build/local/%/bootstrap: FORCE
	@go build -tags lambda.norpc -o $@ ./functions/$*

build/local/sandbox: FORCE
	@go build -o $@ ./cmd/sandbox

.venv/ready: .ci/requirements.txt
	@.ci/setup python

.venv-%/ready: .ci/requirements-%.txt
	@.ci/setup $*

.ci/node_modules/ready: $(wildcard .ci/package-lock.json)
	@$(if $^,.ci/setup node,true)

build/moto/ready: .ci/requirements.txt .venv/ready
	@.ci/setup moto

build/chromium/ready:
	@.ci/setup chromium

build/terminal/ready:
	@.ci/setup terminal

.ci/qemu/ready:
	@.ci/setup qemu

FORCE:
