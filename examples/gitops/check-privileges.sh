#!/bin/sh
# Fails when the manifests ask for more privileges than they did where this branch began,
# and shows which workload asks for what. The first argument is the branch that it will be
# merged into; the others are flags of advisor diff.
set -eu
cd "$(dirname "$0")"
target=${1:-origin/main}
[ $# -eq 0 ] || shift
before=$(mktemp -d)
trap 'rm -rf "${before}"' EXIT
git archive "$(git merge-base HEAD "${target}")" manifests | tar -xf - -C "${before}"
advisor diff "${before}/manifests" manifests "$@"
