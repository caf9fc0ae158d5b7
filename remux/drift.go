package remux

import (
	"fmt"
	"time"
)

const (
	driftTime = time.Minute
	maxDrift  = 100 * time.Millisecond // how far an encoder's clock may run away from the others'

	// stallDrift is more than clocks are apart in a driftTime (1,000 ppm): that was the
	// network, which tells nothing.
	stallDrift = driftTime / 1000
)

// drift tells a clock that runs away from a network that stands still. It compares what
// comes earliest in a minute, of an encoder and of the master: how far ahead of the clock
// of this machine that is.
type drift struct {
	master   *member // that it is compared with
	since    int64   // ns since 1970
	until    int64   // end of this minute
	own, its int64   // earliest in it, ns
	before   int64   // how far they were apart in the minute before
	measured bool    // … which there was
	run      int64   // ns that the clock has run since
}

// away takes how far both are ahead, and tells whether the clock has run away, by how
// many ppm.
func (d *drift) away(m, o *member, now int64) (ppm float64, away bool) {
	if d.master != o {
		*d = drift{master: o, since: now}
	}
	if d.until == 0 {
		d.until, d.own, d.its = now+int64(driftTime), m.best, o.best
	}
	d.own, d.its = max(d.own, m.best), max(d.its, o.best)
	if now < d.until {
		return 0, false
	}
	apart := d.own - d.its
	if !d.measured {
		d.since = now
	} else if step := apart - d.before; near(step, 0, int64(stallDrift)) {
		d.run += step
	}
	d.until, d.before, d.measured = 0, apart, true
	if near(d.run, 0, int64(maxDrift)) {
		return 0, false
	}
	return float64(d.run) / float64(now-d.since) * 1e6, true
}

// drifting says what became of it.
func drifting(ppm float64) Lock {
	faster := "faster"
	if ppm < 0 {
		faster = "slower"
	}
	return Lock{State: LockDrifting, PPM: ppm, Why: fmt.Sprintf(
		"this encoder's clock runs %.0f ppm %s than that of the stream's other encoders, so that its pictures part from theirs: "+
			"let one encoder send all qualities, or set the clocks of all by one reference", max(ppm, -ppm), faster)}
}

// runningAhead says what became of one whose timestamps are seconds ahead of the time that
// passed.
func runningAhead() Lock {
	return Lock{State: LockDrifting, Why: "this encoder's timestamps run ahead of the time that passes, and part from those of the stream's other encoders: " +
		"set its frame rate to that of its source, or start it again"}
}
