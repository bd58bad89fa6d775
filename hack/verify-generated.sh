#!/usr/bin/env bash
# Fails when hack/update-generated.sh would change something: runs it on a copy
# of the tracked and new files, and compares.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "${copy}"' EXIT
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  if [[ -e ${file} ]]; then printf '%s\0' "${file}"; fi
done | xargs -0 cp --parents -t "${copy}"
git -C "${copy}" init --quiet
git -C "${copy}" add --all
(cd "${copy}" && hack/update-generated.sh >/dev/null)
if ! git -C "${copy}" diff --exit-code; then
  echo "out of date: run hack/update-generated.sh" >&2
  exit 1
fi
