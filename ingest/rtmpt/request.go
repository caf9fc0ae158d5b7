package rtmpt

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sluice-live/sluice/ingest/metrics"
)

const (
	piece = 32 << 10 // of a body that is longer

	// takeTime is how long whoever serves a session may take nothing of what came.
	takeTime = 10 * time.Second
	// replyTime is how long an answer waits for what there is to say to a request.
	replyTime = 50 * time.Millisecond
)

// pollings are what an answer begins with: how long the client should wait before
// it asks again. They grow while there is nothing to say.
var pollings = []byte{0x01, 0x03, 0x05, 0x09, 0x11, 0x21}

// exchange takes what a request brings, in its turn, and answers with what there
// is to say. A request that comes again gets the same answer again.
func (c *Conn) exchange(w http.ResponseWriter, r *http.Request, seq uint64, send bool) error {
	repeated, err := c.begin(seq)
	if err != nil {
		return err
	}
	defer c.finish()
	if repeated {
		return reply(w, c.answer)
	}
	if !send {
		err = skip(w, r)
	} else if err = c.take(r); err == nil {
		err = read(w)
	}
	if err != nil {
		return err
	}
	c.compose(seq, !send)
	return reply(w, c.answer)
}

// compose makes the answer to request seq, which is done with that: from here
// on, its repetition gets the same one.
func (c *Conn) compose(seq uint64, idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait(replyTime, func() bool { return c.in.len() == 0 && c.hungry > 0 || c.ended != nil || c.closed })
	if idle && c.out.len() == 0 {
		c.poll = min(c.poll+1, len(pollings))
	} else {
		c.poll = 1
	}
	c.answer = c.out.popAll(append(c.answer[:0], pollings[c.poll-1]))
	c.turn.next = seq + 1
	c.cond.Broadcast() // there is room again
}

// take hands on a body. A short one that breaks off leaves nothing behind, and may
// be sent again; a longer one is the end.
func (c *Conn) take(r *http.Request) error {
	if r.ContentLength > maxBody {
		return c.tooLong()
	}
	body := io.LimitReader(r.Body, maxBody+1)
	for total := 0; ; {
		n, err := c.fill(body)
		if total += n; total > maxBody {
			return c.tooLong()
		}
		over := errors.Is(err, io.EOF)
		if err != nil && !over {
			broken := &failure{http.StatusBadRequest, fmt.Sprintf("the body ended behind %d bytes: %v", total, err)}
			if total > n {
				c.breach(metrics.Tunnel, broken.text)
			}
			return broken
		}
		if n > 0 {
			if err := c.push(c.scratch[:n]); err != nil {
				return err
			}
		}
		if over {
			return nil
		}
	}
}

func (c *Conn) tooLong() error {
	return c.breach(metrics.RequestBody, fmt.Sprintf("a request of more than %d bytes", maxBody))
}

// fill reads a piece into scratch, which grows by what came. io.EOF says that it
// is the last.
func (c *Conn) fill(body io.Reader) (n int, err error) {
	const least = 4 << 10
	if c.scratch == nil {
		c.scratch = make([]byte, least)
	}
	for {
		m, err := io.ReadFull(body, c.scratch[n:])
		if n += m; errors.Is(err, io.ErrUnexpectedEOF) && m > 0 || errors.Is(err, io.EOF) {
			return n, io.EOF
		}
		if err != nil || len(c.scratch) == piece {
			return n, err
		}
		c.scratch = append(c.scratch, make([]byte, len(c.scratch))...)
	}
}

// push waits for room.
func (c *Conn) push(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := c.wait(takeTime, func() bool { return c.in.len()+len(b) <= maxIn || c.ended != nil || c.closed })
	switch {
	case c.ended != nil:
		return errNoSession
	case c.closed:
		return nil // nobody wants it, but the answer may have the reason
	case !room:
		c.end(fmt.Errorf("rtmpt: what came was not read for %v", takeTime))
		return errNoSession
	}
	c.in.push(b)
	c.cond.Broadcast()
	return nil
}

// hangUp ends a session for its client.
func (c *Conn) hangUp(w http.ResponseWriter, seq uint64, numbered bool) error {
	if numbered {
		// What was sent before counts; what comes out of turn doesn't.
		if repeated, err := c.begin(seq); err == nil {
			defer c.finish()
			if !repeated {
				c.compose(seq, false)
			}
		}
	}
	c.mu.Lock()
	c.end(io.EOF)
	c.mu.Unlock()
	return reply(w, []byte{0})
}

// breach ends a session whose client does what it may not, counts it, and says it.
func (c *Conn) breach(what metrics.Limit, why string) error {
	c.tunnel.rules.Metrics.Refused(what)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(errors.New("rtmpt: " + why))
	status := http.StatusBadRequest
	if what == metrics.RequestBody {
		status = http.StatusRequestEntityTooLarge
	}
	return &failure{status, why}
}
