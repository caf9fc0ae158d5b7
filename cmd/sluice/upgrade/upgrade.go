// Package upgrade lets a new process go on where an old one is: the program is started
// again, as it is on disk now, with the sockets of the old one.
//
//	old: SIGUSR2 ── starts ──▶ new: reads its configuration, opens its rooms
//	     begin  ◀── what does it need of you? ──
//	     ready  ◀── I can serve ──
//	     rests its listeners, asks encoders to reconnect
//	            ── go on ──▶ serves
//	     viewers ◀── of streams that the new one lacks ──
//	     claim  ◀── the encoder of a stream has come: hand it over ──
//	     has no stream left: ends
//
// Both hear each other by a Wire, and are the same program otherwise. Where the new one
// fails, the old one goes on as if nothing had happened.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Patience is how long a new process may take until it can serve.
const Patience = 30 * time.Second

// SocketName is what the wire is called among the sockets that a new process gets.
const SocketName = "upgrade"

// Successor is the new process, as the old one sees it.
type Successor struct {
	*Wire
	PID   int
	ended chan struct{}
	state *os.ProcessState // when ended is closed
	kill  func() error
}

// Start starts the program at path again, with the same arguments and environment, and
// these sockets, by the names of their listeners.
func Start(path string, sockets map[string]syscall.Conn) (*Successor, error) {
	var names []string
	var fds []int
	defer func() {
		for _, fd := range fds {
			closeDescriptor(fd)
		}
	}()
	for name, s := range sockets {
		fd, err := duplicate(s)
		if err != nil {
			return nil, fmt.Errorf("the socket of %s: %w", name, err)
		}
		names, fds = append(names, name), append(fds, fd)
	}
	wire, theirs, err := newWire()
	if err != nil {
		return nil, err
	}
	names, fds = append(names, SocketName), append(fds, theirs)
	p, err := begin(path, append([]string{path}, os.Args[1:]...), environment(os.Environ(), os.Getpid(), names), fds)
	if err != nil {
		wire.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &Successor{Wire: wire, PID: p.Pid, ended: make(chan struct{}), kill: p.Kill}
	go func() {
		s.state, _ = p.Wait()
		close(s.ended)
		wire.Close()
	}()
	return s, nil
}

// environment is what a new process is to know: as this one, but that the sockets are its
// own, and so is the watchdog.
func environment(env []string, parent int, names []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "LISTEN_") || strings.HasPrefix(v, "WATCHDOG_PID=")
	})
	return append(env, fmt.Sprintf("LISTEN_PPID=%d", parent), fmt.Sprintf("LISTEN_FDS=%d", len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
}

// ErrLate is for a new process that doesn't get ready.
var ErrLate = fmt.Errorf("it wasn't ready within %v", Patience)

// Await waits until ready is closed, and returns why that didn't happen: the new process
// is ended then. failure is what the process itself has told, or empty.
func (s *Successor) Await(ctx context.Context, ready <-chan struct{}, failure func() string) error {
	late := time.NewTimer(Patience)
	defer late.Stop()
	var why error
	select {
	case <-ready:
		return nil
	case <-s.ended:
		why = fmt.Errorf("it ended before it was ready: %v", s.state)
	case <-late.C:
		why = ErrLate
	case <-ctx.Done():
		why = errors.New("this process is about to stop")
	}
	_ = s.kill()
	<-s.ended
	s.Close()
	if told := failure(); told != "" {
		why = fmt.Errorf("%w: %s", why, told)
	}
	return why
}
