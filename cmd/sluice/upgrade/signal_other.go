//go:build !unix

package upgrade

import "os"

// Notify does nothing: there is no such signal.
func Notify(chan<- os.Signal) {}
