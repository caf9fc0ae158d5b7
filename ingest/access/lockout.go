package access

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-live/sluice/config/address"
)

const (
	lockoutFailures = 10
	lockoutWithin   = 5 * time.Minute
	lockoutTime     = 10 * time.Minute
	lockoutMost     = 10_000 // addresses that are remembered; the oldest make way
)

// lockout counts the failures of each address, and refuses the one that has
// had too many.
type lockout struct {
	mu   sync.Mutex
	seen map[netip.Prefix]failures
}

type failures struct {
	n      int
	since  time.Time
	locked time.Time // until when
}

func (f failures) over(now time.Time) bool {
	return now.Sub(f.since) >= lockoutWithin && !now.Before(f.locked)
}

// locked tells whether an address is refused now.
func (l *lockout) locked(a netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Before(l.seen[address.Home(a)].locked)
}

// failed counts a failure.
func (l *lockout) failed(a netip.Addr, now time.Time) {
	who := address.Home(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = make(map[netip.Prefix]failures)
	}
	f, known := l.seen[who]
	if !known && len(l.seen) >= lockoutMost {
		l.makeRoom(now)
	}
	if !known || f.over(now) {
		f = failures{since: now}
	}
	f.n++
	if f.n >= lockoutFailures {
		f = failures{since: now, locked: now.Add(lockoutTime)}
	}
	l.seen[who] = f
}

// makeRoom forgets those whose time is over, or the one that began first.
func (l *lockout) makeRoom(now time.Time) {
	var oldest netip.Prefix
	var since time.Time
	for who, f := range l.seen {
		if f.over(now) {
			delete(l.seen, who)
		} else if !oldest.IsValid() || f.since.Before(since) {
			oldest, since = who, f.since
		}
	}
	if len(l.seen) >= lockoutMost {
		delete(l.seen, oldest)
	}
}
