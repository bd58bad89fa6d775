#!/usr/bin/env bash
# Installs what a test node needs to run real pods, on Debian and its kin, if
# it is not there yet. Without it the tests fall back to a lesser node and say so.
set -euo pipefail

packages=(containerd runc containernetworking-plugins iptables iproute2 util-linux)

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
	[[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
	exit 0
fi
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
	echo "no real node: ${missing[*]} not installed, which takes root and apt-get; the tests use the fallback" >&2
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get --option Acquire::Retries=3 update &&
	apt-get --option Acquire::Retries=3 install --yes --no-install-recommends "${missing[@]}"; }; then
	echo "no real node: ${missing[*]} could not be installed; the tests use the fallback" >&2
fi
