//go:build !linux

package tree

import "io/fs"

// lock does nothing here: whoever starts two runs at once has to keep them apart.
func lock(string) (unlock func(), err error) { return func() {}, nil }

// exchange puts staging in dir's place; what dir held is then removed.
func exchange(staging, dir string) error { return exchangeInTwo(staging, dir) }

// keepOwner does nothing here: folders get the owner that new ones have.
func keepOwner(string, fs.FileInfo) {}
