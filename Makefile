# What a person or CI runs; `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One flavour of build for everything but the race detector, so that all steps
# share what is compiled.
export CGO_ENABLED := 0
export GOFLAGS := $(GOFLAGS) -trimpath

APP := github.com/psp-advisor/psp-advisor/cmd/advisor/app
VERSION ?= $(shell git describe --tags --dirty 2>/dev/null)
PLATFORM ?= linux/$(shell go env GOARCH)
NODE_PACKAGES := containerd runc containernetworking-plugins iptables iproute2 util-linux
BROWSER_PACKAGES := chromium poppler-utils
# The packages with goroutines. TestRaced says which are missing.
RACED := ./cmd/... ./hack/bench/... ./hack/faults ./pkg/apitest ./pkg/controller ./pkg/generate ./pkg/image ./pkg/observe/... ./pkg/profile ./pkg/publish ./pkg/tree
FUZZTIME ?= 30s
FLEETS ?= 500
CURRENT_FLEETS ?= 200
EVERY ?= 1

.PHONY: help build demo test lint verify update fuzz bench kube conformance mutate e2e image release-snapshot clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/advisor
	go build -ldflags "-s -w -X $(APP).version=$(VERSION)" -o bin/advisor ./cmd/advisor

demo: build ## run the main job on the examples, with no cluster
	./bin/advisor inspect -f examples/web-shop/input.yaml

test: ## unit tests, laws, goldens and command-line scripts; what is concurrent, with the race detector
	go test -shuffle=on ./...
	CGO_ENABLED=1 go test -race -short -vet=off -shuffle=on $(RACED)
	cd hack/dockerfile && go test ./...

lint: ## run the linters on the Go code of every module, the scripts and the alerts
	hack/lint.sh

verify: ## check that what is generated is up to date
	hack/verify-generated.sh
	hack/verify-tidy.sh

update: ## regenerate what is generated
	hack/update-generated.sh
	hack/update-tidy.sh

fuzz: ## run each fuzz target for FUZZTIME
	hack/fuzz.sh $(FUZZTIME)

bench: ## run the benchmarks, and write docs/performance.md, which takes an hour
	go test -run '^$$' -bench . -benchmem ./...
	go test -tags e2e -run '^$$' -bench . -benchtime 1000x -timeout 20m ./hack/e2e
	go run ./hack/bench -out docs/performance.md

kube: ## build Kubernetes 1.24, a current API server and the judges, which takes minutes
	cd hack/kube124 && go build -tags providerless -o ../../.cache/judge ./cmd/judge
	cd hack/kubecurrent && go build -tags providerless -o ../../.cache/judge-current ./cmd/judge
	go run ./hack/e2e/cluster/build
	cd hack/gatekeeper && go build -o ../../.cache/gator github.com/open-policy-agent/gatekeeper/v3/cmd/gator
	cd hack/kyverno && go build -o ../../.cache/kyverno github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno

conformance: ## show the policies to the code that will enforce them
	cd hack/kube124 && go test -tags providerless ./judge
	cd hack/kube130 && go test .
	go run ./hack/conformance -fleets $(FLEETS)
	cd hack/kubecurrent && go test -tags providerless ./judge
	go run ./hack/conformance/current -fleets $(CURRENT_FLEETS)
	go run ./hack/agreement

mutate: ## break the generator and expect the conformance run to notice; EVERY=3 tries a third of the faults
	go run ./hack/mutate -every $(EVERY)

e2e: ## run against real control planes, a real node and a real browser
	hack/install-packages.sh $(NODE_PACKAGES) || true # the tests that need them say so
	hack/install-packages.sh $(BROWSER_PACKAGES) || true # likewise
	go test -tags e2e -count=1 -timeout 40m -p 2 -parallel 3 -v ./hack/e2e/...
	cd hack/browser && go test -count=1 -v .

image: ## write bin/advisor.tar, an image for PLATFORM, without a container engine
	GOOS=$(word 1,$(subst /, ,$(PLATFORM))) GOARCH=$(word 2,$(subst /, ,$(PLATFORM))) $(MAKE) build
	go run ./hack/image/cmd -version "$(VERSION)" -revision "$(shell git rev-parse HEAD)"

release-snapshot: ## build the archives, checksums and SBOMs of a release into dist, unpublished
	hack/release.sh --snapshot

clean: ## remove what was built
	rm -rf bin dist .cache
