#!/usr/bin/env bash
# Makes go.mod and go.sum of every module list what its code imports.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files --cached --others --exclude-standard '*go.mod' | while read -r mod; do
  (cd "$(dirname "${mod}")" && go mod tidy)
done
