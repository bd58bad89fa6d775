#!/bin/sh
# Fails when the committed policies are not those of the manifests, and shows the
# difference. To update them, run the same command without --check.
set -eu
cd "$(dirname "$0")"
exec advisor inspect -f manifests -R --output-dir policies --check
