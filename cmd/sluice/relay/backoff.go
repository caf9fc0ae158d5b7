package relay

import (
	"math/rand/v2"
	"time"
)

const (
	shortestWait = time.Second
	longestWait  = 15 * time.Second
	steady       = 30 * time.Second // what lasted that long was well: the next wait is the shortest
)

// backoff is how long to wait before the next try: twice as long each time, and a fifth
// more or less, so that not all come back at once.
type backoff struct{ next time.Duration }

// wait is the next wait, behind a connection that lasted that long.
func (b *backoff) wait(lasted time.Duration) time.Duration {
	if b.next == 0 || lasted >= steady {
		b.next = shortestWait
	}
	d := b.next
	b.next = min(2*b.next, longestWait)
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
