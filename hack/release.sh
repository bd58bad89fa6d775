#!/usr/bin/env bash
# Builds a release into dist, and publishes it unless called with --snapshot. Arguments
# are those of `goreleaser release`.
set -euo pipefail
cd "$(dirname "$0")/.."
tool() { go tool -modfile=hack/tools/release/go.mod "$@"; }

# goreleaser calls cyclonedx-gomod by its name.
cyclonedx=$(tool -n cyclonedx-gomod)
PATH="$(dirname "${cyclonedx}"):${PATH}" tool goreleaser release --clean "$@"

# The manifest for krew, with the version and the checksums of what was built.
tag=$(git describe --tags --abbrev=0 2>/dev/null || echo v0.0.0)
awk -v tag="${tag}" '
  NR == FNR { sums[$2] = $1; next }
  { gsub(/v0\.0\.0/, tag) }
  $1 == "uri:" { file = $2; sub(/.*\//, "", file) }
  $1 == "sha256:" {
    if (!(file in sums)) { print "no checksum of " file > "/dev/stderr"; exit 1 }
    sub(/"[0-9a-f]+"/, "\"" sums[file] "\"")
  }
  { print }
' dist/checksums.txt manifests/krew/advisor.yaml >dist/advisor.yaml
