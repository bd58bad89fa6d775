#!/usr/bin/env bash
# Fails when hack/update-generated.sh would change something.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=hack/verify.sh
source hack/verify.sh
verify hack/update-generated.sh
