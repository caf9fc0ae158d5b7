package remux

// audioClock puts access units on the sample grid: each begins where the one
// before ends, whatever the rounding of its timestamp. The grid moves only
// when it is off by more than that: by a sample at a time where the encoder's
// clock runs away (a few where units are long), at once where a unit was lost (3/4
// of one tell it from jitter) or the grid is ahead by more than one. Units may
// differ in length.
type audioClock struct {
	started bool
	rate    int64
	frame   int64 // samples of this access unit
	next    int64 // where the next one begins
	least   int64 // where it may begin: behind the one before
	off     int64 // how far units are behind the grid of late, fine samples
}

// setRate goes on, no earlier, on the grid of another sample rate.
func (a *audioClock) setRate(rate int64) {
	if a.started && a.rate != rate {
		seconds, rest := a.next/a.rate, a.next%a.rate
		a.next = seconds*rate + (rest*rate+a.rate-1)/a.rate
		a.least = a.next
	}
	a.rate = rate
}

func (a *audioClock) begin(t Track) { a.setRate(int64(t.Timescale)) }

func (a *audioClock) lose() {}

func (a *audioClock) sample(ns int64, _ int32, u *unit) (dts int64, duration uint32, offset int32) {
	a.frame = int64(u.samples)
	return a.dts(ns), uint32(u.samples), 0
}

// dts returns the decoding time in samples of a unit that the encoder wants at
// ns.
func (a *audioClock) dts(ns int64) int64 {
	want := ticks(ns, a.rate)
	slack := a.rate * 5 / 4000 // a rounding, and a little
	most := a.rate / 50        // no jitter: long units have a little more than short ones
	least := 3 * slack         // of the shortest units, too: the grid lags while it follows
	switch off := want - a.next; {
	case !a.started:
		a.next = want
	case off > max(min(a.frame*3/4, most), least):
		// One unit more or less is lost, and the grid may lag while it follows.
		if lost := (off + a.frame/2) / a.frame * a.frame; near(off, lost, slack) || lost == a.frame && near(off, lost, 4*slack) {
			a.next += lost
		} else {
			a.next, a.off = want, 0
		}
	case off < -max(min(a.frame, most*5/4), least):
		// The grid runs ahead of the encoder: one short sample brings it back.
		a.next, a.off = max(want, a.least), 0
	default:
		// The line may be bent by 500 ppm: where units are long, it takes fewer of them,
		// and more samples each, to follow.
		units := min(max(4, 32*1024/a.frame), 32)
		a.off += (off*fine - a.off) / units
		if p := pull(a.off, slack*fine, units, fine); p != 0 {
			by := p / max(p, -p) * max(1, a.frame/1024)
			a.next += by
			a.off -= by * fine
		}
	}
	a.started = true
	dts := a.next
	a.next, a.least = dts+a.frame, dts+1
	return dts
}
