package upgrade

import (
	"os"
	"os/exec"
	"path/filepath"
)

// program is where this program was found as it began.
var program, errProgram = find(os.Args[0])

// Program is where this program is on disk, by the name that it was called: what lies
// there by now may be another one.
func Program() (string, error) { return program, errProgram }

// find is a path to this program that goes by what it was called. What the kernel says of
// a process goes with a file that is moved aside to make room for a new one, and is where a
// symbolic link led that leads to a new one now: the upgrade would start the old one.
func find(called string) (string, error) {
	kernels, err := os.Executable()
	if err != nil {
		return "", err
	}
	path, err := exec.LookPath(called)
	if err != nil {
		return kernels, nil
	}
	if path, err = filepath.Abs(path); err != nil || !same(path, kernels) {
		return kernels, nil // whoever started it has called it something
	}
	return path, nil
}

func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
