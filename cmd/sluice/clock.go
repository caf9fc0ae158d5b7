package main

import (
	"sync/atomic"
	"time"
)

// clock is the time of day that all rooms go by. Somebody may set the
// machine's while streams are live: media times, dates and what players are
// told of the time stay together, and go on as if nothing had happened.
type clock struct {
	base atomic.Pointer[time.Time] // with its monotonic reading
}

func newClock() *clock {
	c := new(clock)
	c.settle()
	return c
}

// settle takes over how the machine's clock is set now.
func (c *clock) settle() {
	now := time.Now()
	c.base.Store(&now)
}

func (c *clock) now() time.Time {
	base := *c.base.Load()
	return base.Add(time.Since(base))
}
