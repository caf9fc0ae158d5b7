//go:build !linux

package upgrade

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
)

var errSystem = errors.New("an upgrade without a restart needs Linux")

func newWire() (*Wire, int, error) { return nil, -1, errSystem }

func closeDescriptor(int) {}

// Dial opens a connection to the other process.
func (w *Wire) Dial(context.Context) (net.Conn, error) { return nil, errSystem }

func (w *Wire) receive() (net.Conn, error) { return nil, errSystem }

func duplicate(syscall.Conn) (int, error) { return -1, errSystem }

func begin(string, []string, []string, []int) (*os.Process, error) { return nil, errSystem }
