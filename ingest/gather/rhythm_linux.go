package gather

import "time"

// pause is how long what comes in gathers, and so the latency that it adds.
const pause = 8 * time.Millisecond

const (
	// A pause saves a wake-up for each arrival in it but one. It begins where
	// so many came in the time of a pause that as many may well come in the
	// next, too …
	busy = 6
	// … and goes on until it was in vain for so many times in a row.
	vain = 2
)

// rhythm tells when to pause between rounds. The zero value doesn't.
type rhythm struct {
	pausing bool
	thin    int // rounds in a row that a pause didn't pay for

	since time.Time // while not pausing: the first of
	n     int       // arrivals in less than a pause
}

// heard is told how many arrivals a round found.
func (r *rhythm) heard(n int, now time.Time) {
	if r.pausing {
		if r.thin++; n > 1 {
			r.thin = 0
		}
		if r.thin == vain {
			*r = rhythm{}
		}
		return
	}
	if now.Sub(r.since) > pause {
		r.since, r.n = now, 0
	}
	if r.n += n; r.n >= busy {
		*r = rhythm{pausing: true}
	}
}
