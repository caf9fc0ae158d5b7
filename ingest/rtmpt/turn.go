package rtmpt

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sluice-live/sluice/ingest/metrics"
)

const (
	maxAhead = 8               // requests that may be out of order
	turnTime = 5 * time.Second // that one may be
)

// turn is the order of a session's requests. The first one has the number 0 or
// 1, and each next one the next number: proxies may bring them in any order.
type turn struct {
	begun   bool
	next    uint64 // number of the request that is next
	taken   bool   // a request is being answered
	waiting int    // requests
}

// place is where a request stands.
type place int

const (
	waits place = iota
	now
	again // it is the last one once more
	past
	far
)

func (t *turn) place(seq uint64) place {
	switch {
	case !t.begun && seq <= 1, t.begun && seq == t.next:
		return now
	case t.begun && seq+1 == t.next:
		return again
	case t.begun && seq < t.next:
		return past
	case seq > t.next+maxAhead:
		return far
	}
	return waits
}

// begin waits for the turn of request seq. finish must follow unless there is
// an error.
func (c *Conn) begin(seq uint64) (repeated bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.turn
	if t.waiting >= maxAhead {
		return false, c.outOfTurn(http.StatusTooManyRequests, "%d requests wait already", t.waiting)
	}
	t.waiting++
	in := c.wait(turnTime, func() bool { return c.gone || !t.taken && t.place(seq) != waits })
	t.waiting--
	switch {
	case c.gone:
		return false, errNoSession
	case !in && t.taken:
		return false, c.outOfTurn(http.StatusServiceUnavailable, "the request before takes longer than %v", turnTime)
	case !in:
		err := c.outOfTurn(http.StatusBadRequest, "request %d did not come within %v: there is %d", t.next, turnTime, seq)
		c.end(fmt.Errorf("rtmpt: %w", err))
		return false, err
	}
	switch t.place(seq) {
	case past:
		return false, c.outOfTurn(http.StatusBadRequest, "request %d is over: the next is %d", seq, t.next)
	case far:
		return false, c.outOfTurn(http.StatusBadRequest, "request %d is too far ahead: the next is %d", seq, t.next)
	case again:
		t.taken = true
		return true, nil
	}
	if !t.begun {
		t.begun, t.next = true, seq
	}
	t.taken = true
	return false, nil
}

func (c *Conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn.taken = false
	c.heard = time.Now()
	c.part()
	c.cond.Broadcast()
}

func (c *Conn) outOfTurn(status int, format string, args ...any) error {
	c.tunnel.rules.Metrics.Refused(metrics.Tunnel)
	return &failure{status, fmt.Sprintf(format, args...)}
}
