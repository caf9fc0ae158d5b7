//go:build unix

package upgrade

import (
	"os"
	"os/signal"
	"syscall"
)

// Notify lets c have the signal that asks for an upgrade.
func Notify(c chan<- os.Signal) { signal.Notify(c, syscall.SIGUSR2) }
