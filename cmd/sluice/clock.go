package main

import (
	"sync/atomic"
	"time"
)

// clock is the time of day that all rooms go by. Somebody may set the
// machine's while streams are live: media times, dates and what players are
// told of the time stay together, and go on as if nothing had happened, until
// no stream is left that knows the old time.
type clock struct {
	wall    func() time.Time     // the machine's
	elapsed func() time.Duration // since some moment, whatever is done to the other
	base    atomic.Pointer[time.Time]
}

func newClock(wall func() time.Time, elapsed func() time.Duration) *clock {
	c := &clock{wall: wall, elapsed: elapsed}
	c.settle()
	return c
}

func machineClock() *clock {
	began := time.Now()
	return newClock(time.Now, func() time.Duration { return time.Since(began) })
}

// settle takes over how the machine's clock is set now.
func (c *clock) settle() {
	base := c.wall().Round(0).Add(-c.elapsed())
	c.base.Store(&base)
}

// ahead sets the clock, which has just been made, so far ahead of the machine's.
func (c *clock) ahead(d time.Duration) {
	base := c.base.Load().Add(d)
	c.base.Store(&base)
}

func (c *clock) now() time.Time { return c.base.Load().Add(c.elapsed()) }
