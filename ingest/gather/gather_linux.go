// Package gather lets what comes in gather before it wakes anybody: a wake-up
// costs more than all that is done with what came.
//
//	socket ─┐
//	socket ─┼─▶ round: who has something? ──▶ their goroutines go on
//	socket ─┘    ▲
//	             └── at once where little comes, each 8 ms where much does
//
// Connections stay what they are to their goroutines: a net.Conn.
package gather

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// Listener gathers what comes on the TCP connections that l accepts. Without epoll
// and timerfd, it returns l unchanged, and why.
func Listener(l net.Listener) (net.Listener, error) {
	loop, err := newLoop()
	if err != nil {
		return l, err
	}
	return &listener{Listener: l, loop: loop}, nil
}

type listener struct {
	net.Listener
	loop *loop
	once sync.Once
}

// Accept is part of net.Listener. A connection that can't be gathered is what
// it was.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if t, ok := nc.(*net.TCPConn); ok && err == nil {
		if c, err := l.take(t); err == nil {
			return c, nil
		}
	}
	return nc, err
}

// unsent bounds the bytes that the kernel holds for a peer before they are on their
// way: what waits there can't be skipped, and a writer is woken when half of it has
// left. Else the kernel takes some megabytes and wakes him when a third of them has,
// which a slow peer doesn't reach within the writer's deadline.
const unsent = 128 << 10

// take closes t and goes on with its socket, which Go's poller hears nothing
// of from then on.
func (l *listener) take(t *net.TCPConn) (*conn, error) {
	raw, err := t.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	if e := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	// A kernel that can't is as slow to wake a writer as it ever was.
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	c := newConn(l.loop, fd, t)
	if err := l.loop.add(fd, c); err != nil {
		unix.Close(fd)
		return nil, err
	}
	t.Close()
	return c, nil
}

// Close is part of net.Listener. The connections go on.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.once.Do(l.loop.leave)
	return err
}
