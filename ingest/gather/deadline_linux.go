package gather

import (
	"sync"
	"sync/atomic"
	"time"
)

// deadline calls ring when it has passed. The zero value never does.
type deadline struct {
	ring   func()
	passed atomic.Bool

	mu    sync.Mutex
	at    time.Time
	timer *time.Timer
}

// set moves the deadline: to the past, which is now, or to never, which is the
// zero time.
func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
	d.passed.Store(false)
	if d.timer != nil {
		d.timer.Stop()
	}
	d.look()
}

// look is called with mu held. A timer that could not be stopped finds another
// deadline, or none.
func (d *deadline) look() {
	if d.at.IsZero() {
		return
	}
	left := time.Until(d.at)
	switch {
	case left <= 0:
		d.passed.Store(true)
		d.ring()
	case d.timer == nil:
		d.timer = time.AfterFunc(left, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.look()
		})
	default:
		d.timer.Reset(left)
	}
}
