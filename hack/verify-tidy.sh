#!/usr/bin/env bash
# Fails when hack/update-tidy.sh would change something.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files --cached --others --exclude-standard '*go.mod' | while read -r mod; do
  if ! (cd "$(dirname "${mod}")" && go mod tidy -diff); then
    echo "out of date: run hack/update-tidy.sh" >&2
    exit 1
  fi
done
