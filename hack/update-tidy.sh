#!/usr/bin/env bash
# Makes go.mod and go.sum of every module say what its code imports.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*go.mod' | while read -r mod; do
  (cd "$(dirname "${mod}")" && go mod tidy)
done
