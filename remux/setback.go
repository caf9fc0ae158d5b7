package remux

import "time"

// A clock that is set back a little, again and again, leads its track back each time, where
// its frames come as they did: they go on where they were. Where the clock was ahead, it is
// put right by that. A single frame in between that is stamped too early is no step back: the
// one behind it returns.

// setback is the newest step back of a track.
type setback struct {
	even int           // steps in a row that were of one frame each
	lost int64         // ns that it led back
	left int           // frames behind it that may yet return
	when time.Duration // that it came; 0: there was none
}

const (
	leastSetback = int64(100 * time.Millisecond)
	evenSteps    = 3 // frames that are sent in another order than they are shown in make no more
	returns      = 3
)

// setBack takes a step back of a lane whose frames go on where they were, or the one that
// returns from there. It is false of any other.
func (t *timeline) setBack(c *lane, delta uint32, arrived time.Duration) bool {
	b, step := &c.setback, milliseconds(delta)
	lasts := c.pace.lasts(c.usual)
	if b.left > 0 {
		if b.left--; step-lasts >= b.lost/2 && step-b.lost > -int64(maxStep) {
			b.left, b.even = 0, 0
			t.stepped(c, delta, max(step-b.lost, int64(time.Millisecond)), arrived)
			return true
		}
	}
	even := b.even
	if b.even++; !near(step, lasts, max(lasts/2, 2*int64(time.Millisecond))) {
		b.even = 0
	}
	if step >= 0 || step < -int64(maxStep) || even < evenSteps || lasts-step < leastSetback || t.still || c.strayed > 0 || t.corrects(c, lasts-step) {
		return false
	}
	lost := lasts - step
	for _, o := range t.lanes { // of one clock: the bases stay as far apart as they are
		if o != c && o.setback.when > 0 && arrived-o.setback.when < time.Second && near(o.setback.lost, lost, int64(maxStep)/10) {
			lost = o.setback.lost
		}
	}
	b.lost, b.left, b.when = lost, returns, max(arrived, 1)
	t.stepped(c, delta, step+lost, arrived)
	return true
}

// stepped advances a lane by another step than its timestamps made, for good.
func (t *timeline) stepped(c *lane, delta uint32, step int64, arrived time.Duration) {
	c.advance(delta)
	c.offset += step - milliseconds(delta)
	p := &c.pace
	p.still, p.alike, p.shared, p.crept, p.falls, p.fell, p.moved = 0, 0, 0, 0, 0, 0, arrived
}

// corrects tells whether a step back puts right a clock that was ahead: of this machine's, or
// of the other tracks'.
func (t *timeline) corrects(c *lane, lost int64) bool {
	if c.lag.ahead+t.slew.at(c.line()) > lost/2 {
		return true
	}
	for _, o := range t.lanes {
		if o != c && o.started && near(c.lag.most()-o.lag.most(), lost, lost/2) {
			return true
		}
	}
	return false
}
