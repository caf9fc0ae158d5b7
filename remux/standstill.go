package remux

import (
	"math"
	"time"
)

// A standstill is timestamps that stand still, or crawl, while frames come at their
// pace: an encoder whose clock hangs. Each such frame is taken to last as long as
// frames do. Where it goes on, all tracks are sure of it, and the frames follow the
// time that passes.
//
// A timestamp that is repeated once is the same, on a small scale: what the track
// has strayed from its timestamps by then is given back by the steps behind it.

// pace is how the timestamps of a track advance.
type pace struct {
	step  int64 // ns that a frame of the track lasts, of late; 0 before there were two
	still int   // frames in a row that came at their pace, with timestamps hardly later
	exact bool  // what the decoder says of how long they last is so: units of sound do
}

const (
	// A standstill is sure when frames that last so long have come, and so many.
	standstillTime   = time.Second
	standstillFrames = 8
)

// lasts is how long a frame of the track lasts, ns. usual is the same by its
// decoder, or 0: that is exact, or, of pictures, not so at all.
func (p *pace) lasts(usual int64) int64 {
	if usual > 0 && (p.exact || p.step == 0 || near(p.step, usual, usual/4)) {
		return usual
	}
	return p.step
}

// learn takes a step that a frame of the track made. One long step tells little.
func (p *pace) learn(step int64) {
	if step <= 0 || step > int64(maxStep) {
		return
	}
	if p.step == 0 {
		p.step = step
	}
	most := max(p.step/32, 1)
	p.step += min(max((step-p.step)/8, -most), most)
}

// paced takes a step of a track's timestamps, and returns the one to make in its
// place.
func (t *timeline) paced(c *lane, step int64, arrived time.Duration) int64 {
	p := &c.pace
	lasts := p.lasts(c.usual)
	hardly := step == 0 || step > 0 && step < lasts/4
	if lasts == 0 { // they never moved
		lasts = min(int64(arrived-c.heard), int64(maxStep))
	}
	if !hardly {
		p.still = 0
		p.learn(step)
		return step - c.giveBack(step, lasts, t.still)
	}
	late := t.present(c, arrived) - c.line()
	if late < lasts/2 && (!t.still || p.still == 0) { // frames come faster than they did
		if passed := int64(arrived - c.heard); near(passed, step, step/2) {
			p.learn(step)
		}
		return step - c.giveBack(step, lasts, t.still)
	}
	p.still++
	t.still = t.still || p.still >= standstillFrames && c.strayed >= int64(standstillTime)
	switch {
	case late > int64(maxStep) && t.still:
		return lasts + lasts/64 // parts are made for frames that last no longer
	case late < -3*int64(maxStep): // more frames come than there is time for
		return step
	case late < -int64(maxStep):
		return max(step, lasts*3/4)
	}
	return lasts
}

// present is where a track's line would be if nothing were late.
func (t *timeline) present(c *lane, arrived time.Duration) int64 {
	return t.began.UnixNano() + int64(arrived) + t.slew.best() - t.slew.at(c.line())
}

// giveBack is how much of a step goes into what the track has strayed by: what is
// more than a frame, and a little of each where its clock did not stand still for good.
func (c *lane) giveBack(step, lasts int64, sure bool) int64 {
	if c.strayed == 0 {
		return 0
	}
	back := step - lasts
	if !sure {
		back = max(back, step/4)
	}
	return max(min(back, c.strayed), 0)
}

// thaw takes a standstill back where the timestamps leap to where they would be
// without. It returns the step that the track makes then.
func (t *timeline) thaw(c *lane, delta uint32, arrived time.Duration) (step int64, ok bool) {
	d := milliseconds(delta)
	if c.pace.still == 0 || d <= int64(maxStep) {
		return 0, false
	}
	to := c.line() - c.strayed + d
	if to < c.line()-int64(maxStep) || to > t.present(c, arrived)+int64(maxStep) {
		return 0, false
	}
	c.pace.still = 0
	return max(to-c.line(), c.pace.lasts(c.usual)/4, int64(time.Millisecond)), true
}

// reunite ends a standstill when no track stands still any more, and lets them be
// as far apart as they were.
func (t *timeline) reunite() {
	if !t.still {
		return
	}
	most := int64(math.MinInt64)
	for _, c := range t.lanes {
		if c.pace.still > 0 {
			return
		}
		most = max(most, c.strayed)
	}
	t.still = false
	for _, c := range t.lanes {
		c.offset += most - c.strayed
		c.strayed = 0
	}
}
