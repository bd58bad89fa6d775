#!/usr/bin/env bash
# Lints the Go code of every module, with one configuration, every shell script, and
# the alerts and the dashboard.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${PWD}
tool() { go tool -modfile="${root}/hack/tools/go.mod" "$@"; }
files() { git ls-files --cached --others --exclude-standard "$@"; }

files '*go.mod' | while read -r mod; do
  module=$(dirname "${mod}")
  if [[ -z $(files "${module}/*.go") ]]; then continue; fi
  linters=()
  if [[ ${module} == hack/kube* ]]; then
    # The other linters analyze all of Kubernetes first, which takes 10 minutes.
    linters=(--default=none "--enable=errcheck,errorlint,forbidigo,gochecknoinits,ineffassign,modernize,nilnil,nolintlint,revive,unused")
  fi
  echo "golangci-lint ${module} ${linters[*]}"
  (cd "${module}" && tool golangci-lint run --allow-parallel-runners --build-tags e2e,providerless "${linters[@]}" ./...)
done

mapfile -t scripts < <(tool shfmt --find .)
echo "shfmt, shellcheck ${scripts[*]}"
tool shfmt --diff "${scripts[@]}"
if hack/install-packages.sh shellcheck; then
  shellcheck "${scripts[@]}"
else
  echo "NOT RUN: shellcheck, which is not installed"
fi

echo "promtool manifests/monitoring"
if hack/install-packages.sh prometheus; then
  go test -count=1 -run "TestPromtool|TestFindingsIncreased" ./manifests
else
  echo "NOT RUN: promtool, which is not installed"
fi
