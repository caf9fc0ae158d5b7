// Package rate bounds how fast something may come.
package rate

import "time"

// Limit is a rate that may be exceeded for a moment.
type Limit struct {
	PerSecond float64 // in the long run
	Burst     float64 // at once
}

// Refill is how long it takes until all of a burst may come again.
func (l Limit) Refill() time.Duration {
	if l.PerSecond <= 0 {
		return 0
	}
	return time.Duration(l.Burst / l.PerSecond * float64(time.Second))
}

// Bucket is what has come under a Limit. The zero Bucket is that of somebody of
// whom nothing has come.
type Bucket struct {
	level float64 // what was taken and is not yet forgotten
	at    time.Time
}

// Take tells whether n more may come now, and counts them if they may. A clock
// that goes back is taken for one that stands still.
func (b *Bucket) Take(l Limit, n float64, now time.Time) bool {
	if since := now.Sub(b.at); !b.at.IsZero() && since > 0 {
		b.level = max(0, b.level-l.PerSecond*since.Seconds())
	}
	b.at = now
	if b.level+n > l.Burst {
		return false
	}
	b.level += n
	return true
}
