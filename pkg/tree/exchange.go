package tree

import (
	"errors"
	"io/fs"
	"os"
)

// oldSuffix follows the name of the staging folder where the old tree stands
// during an exchange in two steps.
const oldSuffix = ".old"

// exchangeInTwo is the exchange where the system has none in one step. Between
// its renames dir is missing as a whole, and the old tree stands beside it; at
// the end it is removed.
func exchangeInTwo(staging, dir string) error {
	old := staging + oldSuffix
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(staging, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}
