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
// has strayed from its timestamps by then is given back by the steps behind it. Where
// several frames have each timestamp, all the time, they share the step that follows.
//
// A clock that runs backwards is one that stands still, too. Frames that are stamped
// with the time at which they are shown step back as well, but a few times in a row.

// pace is how the timestamps of a track advance.
type pace struct {
	step  int64 // ns that a frame of the track lasts, of late; 0 before there were two
	still int   // frames in a row that came at their pace, with timestamps hardly later
	exact bool  // what the decoder says of how long they last is so: units of sound do

	moved  time.Duration // when the newest frame came whose timestamp was later for sure
	alike  int           // frames behind that, with timestamps hardly later
	shared int           // how many there were before it, where they came in the time that its step says
	crept  int64         // ns that the timestamps have made in them
	falls  int           // steps back in a row
	fell   int64         // ns that they led back
}

const (
	// A standstill is sure when frames that last so long have come, and so many.
	standstillTime   = time.Second
	standstillFrames = 8

	// mostFalls are more steps back in a row than any order of frames makes.
	mostFalls = 6
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
	back, lost := p.falling(step)
	if !back && !hardly {
		p.still = 0
		even := p.moves(step, arrived)
		return step - c.giveBack(step, lasts, t.still, even)
	}
	p.alike++
	p.crept += step
	if !back && p.alike <= p.shared && c.strayed <= int64(p.shared)*lasts {
		return lasts
	}
	late := t.present(c, arrived) - c.line()
	if !back && late < lasts/2 && (!t.still || p.still == 0) { // frames come faster than they did
		if passed := int64(arrived - c.heard); near(passed, step, step/2) {
			p.learn(step)
		}
		return step - c.giveBack(step, lasts, t.still, false)
	}
	if lost > 0 { // it shows only now
		p.still++
		return lost + mostFalls*lasts
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

// moves takes a step that was none of a standstill. It tells whether the frames before
// it share it: those that had its timestamp, or nearly, came in the time that it says.
func (p *pace) moves(step int64, arrived time.Duration) (even bool) {
	all := p.crept + step
	switch {
	case p.alike == 0, p.step == 0 && all == step:
		p.learn(step)
	case near(int64(arrived-p.moved), all, all/2):
		even = true
		if each := all / int64(p.alike+1); p.shared == p.alike && each <= int64(maxStep) { // again
			p.step = each
		} else {
			p.learn(each)
		}
	}
	p.shared = 0
	if even {
		p.shared = p.alike
	}
	p.moved, p.alike, p.crept = arrived, 0, 0
	return even
}

// falling tells whether the clock of a track runs backwards, and, when that shows, how
// far it has led the line back by then.
func (p *pace) falling(step int64) (back bool, lost int64) {
	if step > 0 {
		p.falls, p.fell = 0, 0
		return false, 0
	}
	if step < 0 {
		p.falls++
		if p.falls < mostFalls {
			p.fell -= step
		}
	}
	if p.falls == mostFalls && step < 0 {
		return true, p.fell
	}
	return p.falls >= mostFalls, 0
}

// present is where a track's line would be if nothing were late.
func (t *timeline) present(c *lane, arrived time.Duration) int64 {
	return t.began + int64(arrived) + t.slew.best() - t.slew.at(c.line())
}

// giveBack is how much of a step goes into what the track has strayed by: what is
// more than a frame, and a little of each where its clock did not stand still for good.
// Frames that shared a timestamp give back all.
func (c *lane) giveBack(step, lasts int64, sure, even bool) int64 {
	if c.strayed == 0 {
		return 0
	}
	back := step - lasts
	switch {
	case sure:
	case even:
		back = step - lasts/4
	default:
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
	c.pace.still, c.pace.alike, c.pace.shared, c.pace.crept, c.pace.moved = 0, 0, 0, 0, arrived
	return max(to-c.line(), c.pace.lasts(c.usual)/4, int64(time.Millisecond)), true
}

// reunite ends a standstill when no track stands still any more, and lets those that
// stood be as far apart as they were. One that strayed far less didn't stand: it has a
// clock of its own, and lies where it should.
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
		if less := most - c.strayed; less <= max(most/2, int64(standstillTime)/2) {
			c.offset += less
		}
		c.strayed = 0
	}
}
