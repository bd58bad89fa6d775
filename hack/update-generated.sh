#!/usr/bin/env bash
# Rewrites what tests compare with: the output of examples, manifests and
# scripts, observations, the contract's example, the rules, and what README.md shows.
set -euo pipefail
cd "$(dirname "$0")/.."
go test ./examples ./manifests ./pkg/observe/manifest ./pkg/publish ./pkg/report ./cmd/advisor ./hack/bench -update
