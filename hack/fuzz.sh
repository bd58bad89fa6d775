#!/usr/bin/env bash
# Runs every fuzz target for the given time, 30s by default. Inputs are made
# small for a second at most: making manifests small would take all of the time.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rl --include='*_test.go' '^func Fuzz' cmd pkg | xargs -n1 dirname | sort -u | while read -r dir; do
  grep -rhoE --include='*_test.go' --no-messages '^func Fuzz[A-Za-z0-9_]+' "${dir}"/*_test.go | sed 's/^func //' | while read -r target; do
    go test -run '^$' -fuzz "^${target}\$" -fuzztime "${1:-30s}" -fuzzminimizetime 1s "./${dir}"
  done
done
