#!/usr/bin/env bash
# Installs the named packages that are missing, on Debian and its kin. Fails
# where that cannot be done, and says why.
set -euo pipefail

missing=()
for package in "$@"; do
  status=$(dpkg-query --show --showformat '${db:Status-Status}' "${package}" 2>/dev/null || true)
  [[ ${status} == installed ]] || missing+=("${package}")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
  echo "cannot install ${missing[*]}: that takes root and apt-get" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get --option Acquire::Retries=3 --quiet update &&
  apt-get --option Acquire::Retries=3 --quiet install --yes --no-install-recommends "${missing[@]}"; }; then
  echo "cannot install ${missing[*]}: apt-get failed" >&2
  exit 1
fi
