package rtmpt

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	maxIn  = 64 << 10  // bytes that wait to be read: the rest of a request waits with the client
	maxOut = 512 << 10 // bytes that wait for a request: then Write does

	idleTime    = 30 * time.Second // without a request, a session is over
	partingTime = 5 * time.Second  // for the client to ask for the last of it
)

var (
	errIdle   = fmt.Errorf("rtmpt: no request for %v", idleTime)
	errHungUp = io.ErrClosedPipe // of Write, when the client has closed the session
)

// Conn is a session, seen as a connection.
type Conn struct {
	tunnel        *Tunnel
	id            string
	local, remote net.Addr
	encrypted     bool
	leave         func() // gives its place back

	mu   sync.Mutex
	cond sync.Cond // rings for every change

	// Of the connection.
	in, out     queue
	hungry      int   // Reads that wait
	ended       error // of Read, behind all that came; nil while there may be more
	closed      bool  // by whoever serves it
	gone        bool  // nobody finds it any more
	read, write deadline

	// Of the requests.
	turn    turn
	scratch []byte      // what a request has brought, of the one whose turn it is
	answer  []byte      // to the last request
	poll    int         // which of pollings it began with, from 1
	heard   time.Time   // when the last request ended
	timer   *time.Timer // of the next end that there may be
}

func newConn(t *Tunnel, id string, local, remote net.Addr, encrypted bool, leave func()) *Conn {
	c := &Conn{tunnel: t, id: id, local: local, remote: remote, encrypted: encrypted, leave: leave, heard: time.Now()}
	c.cond.L = &c.mu
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(idleTime, c.look)
	return c
}

// Encrypted tells whether the session was opened by HTTPS.
func (c *Conn) Encrypted() bool { return c.encrypted }

// Read is part of net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := false
	defer func() {
		if waits {
			c.hungry--
		}
	}()
	for {
		switch {
		case c.closed:
			return 0, c.opError("read", net.ErrClosed)
		case c.read.passed:
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case c.in.len() > 0:
			n := c.in.pop(b)
			c.cond.Broadcast()
			return n, nil
		case errors.Is(c.ended, io.EOF):
			return 0, io.EOF
		case c.ended != nil:
			return 0, c.opError("read", c.ended)
		}
		if !waits {
			waits = true
			c.hungry++
			c.cond.Broadcast()
		}
		c.cond.Wait()
	}
}

// Write is part of net.Conn. What is written at once goes out in one answer, if
// it has room.
func (c *Conn) Write(b []byte) (written int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return written, c.opError("write", net.ErrClosed)
		case c.write.passed:
			return written, c.opError("write", os.ErrDeadlineExceeded)
		case c.ended != nil:
			return written, c.opError("write", errHungUp)
		case len(b) == 0:
			return written, nil
		case c.out.len() == 0 || c.out.len()+len(b) <= maxOut:
			n := min(len(b), maxOut)
			c.out.push(b[:n])
			b = b[n:]
			written += n
			continue
		}
		c.cond.Wait()
	}
}

// Close is part of net.Conn. What was written stays for a moment, until the
// client asks for it.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	c.read.set(c, time.Time{})
	c.write.set(c, time.Time{})
	c.timer.Reset(partingTime)
	c.part()
	c.cond.Broadcast()
	return nil
}

// part forgets a session that is closed, and of which nothing is left to say. It
// is called with mu held.
func (c *Conn) part() {
	if c.closed && !c.gone && !c.turn.taken && (c.out.len() == 0 || c.ended != nil) {
		c.vanish()
	}
}

func (c *Conn) vanish() {
	c.gone = true
	c.timer.Stop()
	c.tunnel.forget(c.id)
	c.leave()
	c.cond.Broadcast()
}

// end is the end of what comes, for that reason. It is called with mu held.
func (c *Conn) end(why error) {
	if c.ended == nil {
		c.ended = why
	}
	c.part()
	c.cond.Broadcast()
}

// look is the timer's: it ends a session that nobody asks for.
func (c *Conn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch left := time.Until(c.heard.Add(idleTime)); {
	case c.gone:
	case c.closed && c.turn.taken:
		c.timer.Reset(partingTime) // its answer is on the way
	case c.closed:
		c.vanish()
	case c.turn.taken:
		c.timer.Reset(idleTime)
	case left > 0:
		c.timer.Reset(left)
	default:
		c.end(errIdle) // whoever serves it closes it
	}
}

func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "rtmpt", Source: c.local, Addr: c.remote, Err: err}
}

// LocalAddr is part of net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the client's, or what a proxy that is believed says that it is.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline is part of net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, &c.read, &c.write) }

// SetReadDeadline is part of net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.read) }

// SetWriteDeadline is part of net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.write) }

func (c *Conn) setDeadline(t time.Time, of ...*deadline) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.opError("set", net.ErrClosed)
	}
	for _, d := range of {
		d.set(c, t)
	}
	return nil
}

// wait waits until something is so, at most d, and tells whether it is. It is
// called with mu held.
func (c *Conn) wait(d time.Duration, so func() bool) bool {
	if so() {
		return true
	}
	late := false
	t := time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		late = true
		c.cond.Broadcast()
	})
	defer t.Stop()
	for !so() && !late {
		c.cond.Wait()
	}
	return so()
}
