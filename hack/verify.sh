# shellcheck shell=bash
# For the verify scripts: runs an update script on a copy of the tracked and new
# files, and compares.
verify() {
  local copy
  copy=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder is known now
  trap "rm -rf '${copy}'" EXIT
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [[ -e ${file} ]]; then printf '%s\0' "${file}"; fi
  done | xargs -0 cp --parents -t "${copy}"
  git -C "${copy}" init --quiet
  git -C "${copy}" add --all
  (cd "${copy}" && "$1" >/dev/null)
  if ! git -C "${copy}" diff --exit-code; then
    echo "out of date: run $1" >&2
    return 1
  fi
}
