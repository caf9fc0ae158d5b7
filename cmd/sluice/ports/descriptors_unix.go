//go:build unix

package ports

import (
	"math"
	"syscall"
)

// descriptors is how many files and connections the process may have open. Go
// has raised it as far as it may.
func descriptors() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(l.Cur)
}
