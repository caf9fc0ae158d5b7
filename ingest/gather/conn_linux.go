package gather

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is a TCP connection whose Reads wait for the loop.
type conn struct {
	// Every Read needs these: with many connections memory is cold when something comes.
	mu      sync.RWMutex // for reading: a system call uses fd; for writing: Close
	fd      int          // −1 when closed
	ended   atomic.Bool  // the peer has closed its side, or all: there is always that to read
	drained bool         // in.turn: the last Read had room for more, so there is nothing
	in, out side

	loop          *loop
	local, remote net.Addr
}

// side is one direction.
type side struct {
	turn     sync.Mutex    // one Read, or Write, at a time
	bell     chan struct{} // holds one ring: look again
	deadline deadline
}

func (s *side) init() {
	s.bell = make(chan struct{}, 1)
	s.deadline.ring = s.ring
}

func (s *side) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

func newConn(l *loop, fd int, t *net.TCPConn) *conn {
	c := &conn{loop: l, local: t.LocalAddr(), remote: t.RemoteAddr(), fd: fd}
	c.in.init()
	c.out.init()
	return c
}

// wake is told by the loop what has happened.
func (c *conn) wake(events uint32) {
	const over = unix.EPOLLHUP | unix.EPOLLERR
	if events&(unix.EPOLLRDHUP|over) != 0 {
		c.ended.Store(true)
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|over) != 0 {
		c.in.ring()
	}
	if events&(unix.EPOLLOUT|over) != 0 {
		c.out.ring()
	}
}

// Read is part of net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	c.in.turn.Lock()
	defer c.in.turn.Unlock()
	for wait := c.drained && !c.ended.Load(); ; wait = false {
		if err := c.stopped(&c.in); err != nil || len(b) == 0 {
			return 0, c.opError("read", err)
		}
		if !wait {
			n, err := c.transfer(unix.SYS_READ, b)
			if err == nil {
				c.drained = n < len(b)
				if n == 0 {
					err = io.EOF
				}
				return n, err
			}
			if !errors.Is(err, syscall.EAGAIN) {
				return 0, c.opError("read", err)
			}
		}
		<-c.in.bell
	}
}

// Write is part of net.Conn.
func (c *conn) Write(b []byte) (n int, err error) {
	c.out.turn.Lock()
	defer c.out.turn.Unlock()
	for {
		if err := c.stopped(&c.out); err != nil {
			return n, c.opError("write", err)
		}
		m, err := c.transfer(unix.SYS_WRITE, b[n:])
		switch n += m; {
		case errors.Is(err, syscall.EAGAIN):
			<-c.out.bell
		case err != nil:
			return n, c.opError("write", err)
		case n == len(b):
			return n, nil
		}
	}
}

// WriteBuffers writes all of them, as net.Buffers does. It changes neither b nor what is
// in it.
func (c *conn) WriteBuffers(b net.Buffers) (n int64, err error) {
	const most = 1024 // IOV_MAX
	c.out.turn.Lock()
	defer c.out.turn.Unlock()
	for skip := 0; len(b) > 0; {
		if skip == len(b[0]) {
			b, skip = b[1:], 0
			continue
		}
		if err := c.stopped(&c.out); err != nil {
			return n, c.opError("write", err)
		}
		m, err := c.transferAll(b[:min(len(b), most)], skip)
		n += int64(m)
		for skip += m; len(b) > 0 && skip >= len(b[0]); b = b[1:] {
			skip -= len(b[0])
		}
		switch {
		case errors.Is(err, syscall.EAGAIN):
			<-c.out.bell
		case err != nil:
			return n, c.opError("write", err)
		}
	}
	return n, nil
}

// transferAll writes what it can of pieces, less what the first begins with.
func (c *conn) transferAll(pieces [][]byte, skip int) (int, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fd < 0 {
		return 0, net.ErrClosed
	}
	if skip > 0 { // they are somebody else's
		pieces = slices.Clone(pieces)
		pieces[0] = pieces[0][skip:]
	}
	n, err := unix.Writev(c.fd, pieces)
	return max(n, 0), err
}

// stopped tells why a side must not go on: as in package net, a deadline that
// has passed comes before what could yet be read.
func (c *conn) stopped(s *side) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	switch {
	case c.fd < 0:
		return net.ErrClosed
	case s.deadline.passed.Load():
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *conn) transfer(trap uintptr, b []byte) (int, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fd < 0 {
		return 0, net.ErrClosed
	}
	return transfer(trap, c.fd, b)
}

// Unread is how many bytes have come that no Read has returned; 0 where that can't be known.
func (c *conn) Unread() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fd < 0 {
		return 0
	}
	n, _ := unix.IoctlGetInt(c.fd, unix.TIOCINQ)
	return n
}

// Close is part of net.Conn. Whoever reads or writes returns.
func (c *conn) Close() error {
	c.mu.Lock()
	fd := c.fd
	if fd < 0 {
		c.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	c.fd = -1
	c.loop.forget(fd)
	err := unix.Close(fd)
	c.mu.Unlock()
	for _, s := range []*side{&c.in, &c.out} {
		s.deadline.set(time.Time{})
		s.ring()
	}
	c.loop.leave()
	return c.opError("close", err)
}

func (c *conn) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

// LocalAddr is part of net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is part of net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline is part of net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return c.setDeadline(t, &c.in, &c.out) }

// SetReadDeadline is part of net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.in) }

// SetWriteDeadline is part of net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.out) }

func (c *conn) setDeadline(t time.Time, sides ...*side) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.fd < 0 {
		return c.opError("set", net.ErrClosed)
	}
	for _, s := range sides {
		s.deadline.set(t)
	}
	return nil
}
