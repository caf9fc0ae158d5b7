package remux

import (
	"cmp"
	"math"
	"time"
)

// A step of the timestamps that is longer than maxStep, or back by more, is not
// jitter: the encoder's clock was set, the stream was joined to another one, or
// it paused. What is more than a pause of maxStepForward breaks the line.
const (
	maxStep        = 500 * time.Millisecond
	maxStepForward = 3 * time.Second
)

// timeline maps the timestamps of all tracks to one clock: nanoseconds since
// 1970. It has no clock of its own: when a timestamp arrived is an argument.
//
//	RTMP timestamp ─unwrap─▶ ns of the lane, 64 bits ─+ offset─▶ the line ─+ slew─▶ ns since 1970
//
// Each track has a lane. Lanes share one offset as long as their timestamps are of
// one base. A lane whose timestamps jump goes on where it was, and takes another's
// offset where that fits. When all have jumped, the line is broken: it goes on all
// the same until the remuxer can begin a new period and mend it (see breach).
type timeline struct {
	began  int64    // where the line has opened: then, or later
	mended int64    // ns that the line was moved by so far
	latest [2]heard // the lanes that were heard last, the newest first
	still  bool     // the clock of one or more lanes stands still, for sure
	slew   slew
	breach breach

	// Of several encoders on one line (see Genlock):
	member *member // nil for one alone
	lead   *lane   // nil before it lies anywhere

	lanes  []*lane
	opened int64 // wall clock of the first arrival, ns since 1970
	jumps  int   // of lanes, so far
}

// heard is when a lane was heard.
type heard struct {
	lane *lane // nil: none was
	when time.Duration
}

// lane is the timestamps of one track.
type lane struct {
	// Every frame needs these, and with many streams memory is cold when one comes:
	// so they lie together.
	started bool
	last    uint32        // RTMP timestamp
	at      int64         // the same, unwrapped, ns
	offset  int64         // ns
	step    int64         // last plausible step, ns; 0 before the first
	heard   time.Duration // when it arrived
	usual   int64         // ns that a frame should last by its decoder; 0 when that says nothing
	doubt   doubt
	strayed int64 // ns that the offset has grown by in a standstill
	pace    pace
	setback setback
	lag     lag

	crossing crossing
	told     time.Duration // when its configuration arrived; 0 where that was before all frames
}

// place is a place on the line. It stays what it is when the line is mended: what
// time it is there is asked of the timeline when a sample is written.
type place struct {
	at      int64 // ns, less all that the line was mended by
	stretch int   // counts the breaks before it
}

// behind is how far p is behind another place.
func (p place) behind(o place) time.Duration { return time.Duration(p.at - o.at) }

// judgement is what the timeline says of the frame of a track that had to wait for the
// next one.
type judgement struct {
	fate  fate // fateNone where none waited
	place place
}

// lane adds one.
func (t *timeline) lane() *lane {
	c := new(lane)
	t.lanes = append(t.lanes, c)
	return c
}

// ns is the time at a place, since 1970.
func (t *timeline) ns(p place) int64 {
	line := p.at + t.mended
	return line + t.slew.at(line)
}

// judge judges the frame of a track that waits, if any, by the timestamp behind it.
func (t *timeline) judge(c *lane, timestamp uint32, arrived time.Duration) (j judgement) {
	if c.doubt.suspect != nil {
		j.fate = c.judge(timestamp, arrived)
		j.place = t.settle(c, j.fate)
	}
	return j
}

// at places a timestamp that arrived at a time since the timeline began. Where that isn't
// sure, there is no knowing before the next one of the track, by which this one is to be
// judged.
func (t *timeline) at(c *lane, timestamp uint32, arrived time.Duration) (at place, sure bool) {
	if !c.started {
		t.start(c, timestamp, arrived)
		return t.placed(c, arrived), true
	}
	delta := timestamp - c.last
	thawed, ok := t.thaw(c, delta, arrived)
	switch {
	case ok:
		t.stray(c, delta, thawed)
	case t.setBack(c, delta, arrived):
	case c.plausible(delta), t.honest(c, delta):
		t.stray(c, delta, t.paced(c, milliseconds(delta), arrived))
	case t.paused(c, delta, arrived):
		if beside(delta) || t.alone(c, delta) {
			c.advance(delta)
		} else {
			t.jump(c, timestamp, arrived)
		}
	default:
		c.doubt.suspect = &suspect{timestamp, arrived}
		return place{}, false
	}
	return t.placed(c, arrived), true
}

// settle places the frame that waits.
func (t *timeline) settle(c *lane, f fate) place {
	s := c.doubt.suspect
	c.doubt.suspect = nil
	if f == fateKept {
		t.jump(c, s.timestamp, s.heard)
		return t.placed(c, s.heard)
	}
	if f == fateLone {
		c.doubt.lone++
	}
	c.advance(uint32(c.step / int64(time.Millisecond))) // its place on the line
	return t.place(c)
}

// start begins a lane at its first timestamp.
func (t *timeline) start(c *lane, timestamp uint32, arrived time.Duration) {
	*c = lane{started: true, last: timestamp, at: int64(timestamp) * int64(time.Millisecond), usual: c.usual, pace: c.pace, told: c.told}
	c.unwrap(t.newest(c).lane)
	now := t.began + int64(arrived)
	c.offset = now - t.slew.at(now) - c.at
	for _, o := range t.lanes {
		if o != c && c.adopt(o, o.line(), maxStepForward) {
			c.lag.fresh = t.ownNought(c, o, arrived)
			return
		}
	}
	for _, o := range t.lanes { // one may be about to jump to where this one begins
		if s := o.doubt.suspect; o != c && s != nil && beside(timestamp-s.timestamp) {
			c.offset = o.line() + o.stride() + milliseconds(timestamp-s.timestamp) - c.at
			return
		}
	}
}

// stride is the step of a lane over a jump, ns.
func (c *lane) stride() int64 {
	return max(cmp.Or(c.step, c.usual), int64(20*time.Millisecond))
}

// newest is the other lane that was heard last.
func (t *timeline) newest(c *lane) heard {
	if t.latest[0].lane == c {
		return t.latest[1]
	}
	return t.latest[0]
}

// hear takes note of when a lane was heard.
func (t *timeline) hear(c *lane, arrived time.Duration) {
	c.heard = arrived
	if t.latest[0].lane != c {
		t.latest[1] = t.latest[0]
	}
	t.latest[0] = heard{c, arrived}
}

// unwrap puts a timestamp beside those of another lane, so that one base gives one
// offset.
func (c *lane) unwrap(o *lane) {
	if o != nil {
		c.at = o.at + milliseconds(c.last-o.last)
	}
}

// adopt takes another lane's offset if that puts this one near a time at which it may
// be: then both are of one base, and stay in sync.
func (c *lane) adopt(o *lane, at int64, within time.Duration) bool {
	if !o.started || !near(c.at+o.offset, at, int64(within)) {
		return false
	}
	c.offset = o.offset
	return true
}

// line is where a lane is, before slewing.
func (c *lane) line() int64 { return c.at + c.offset }

// place is where a lane is.
func (t *timeline) place(c *lane) place { return place{c.line() - t.mended, t.breach.stretch} }

// placed is the same, of a lane that was just heard.
func (t *timeline) placed(c *lane, arrived time.Duration) place {
	t.lags(c, t.ahead(c, arrived), arrived)
	t.hear(c, arrived)
	ahead := t.ahead(c, arrived)
	if t.still {
		t.slew.heard(c.line(), ahead)
	} else { // what its frames were spread by says nothing of when they were due
		t.slew.heard(c.line(), ahead-c.strayed)
	}
	if t.lead != nil {
		t.report(arrived)
	}
	if t.breach.backlog.unsure {
		t.breach.backlog.heard(c.line(), ahead+t.slew.at(c.line()))
	}
	return t.place(c)
}

// ahead is how far a lane is ahead of the clock, before slewing, ns.
func (t *timeline) ahead(c *lane, arrived time.Duration) int64 {
	return c.line() - t.began - int64(arrived)
}

// report tells the other encoders, now and then, and at once where the line breaks.
func (t *timeline) report(arrived time.Duration) {
	now := t.opened + int64(arrived)
	if m := t.member; now >= m.due || t.breach.open && m.told.State != LockNone {
		m.report(t, now)
	}
}

// plausible tells whether a step, modulo 2^32, is one that the lane makes anyway.
func (c *lane) plausible(delta uint32) bool {
	d := milliseconds(delta)
	if c.step == 0 {
		return beside(delta)
	}
	return d >= -int64(maxStep) && d <= max(int64(maxStep), 2*c.step)
}

// follows tells whether a step is one to the next frame, or over a few.
func (c *lane) follows(delta uint32) bool {
	const reordered = 100 * time.Millisecond
	return c.plausible(delta) && milliseconds(delta) >= -int64(reordered)
}

// beside tells whether a timestamp is near another one on the same line.
func beside(delta uint32) bool {
	d := milliseconds(delta)
	return d >= -int64(maxStep) && d <= int64(maxStepForward)
}

// milliseconds turns a difference of timestamps into ns: wraps are steps like
// others.
func milliseconds(delta uint32) int64 { return int64(int32(delta)) * int64(time.Millisecond) }

// stray advances a lane by a step that may be another one than its timestamps made.
func (t *timeline) stray(c *lane, delta uint32, step int64) {
	c.advance(delta)
	c.offset += step - milliseconds(delta)
	c.strayed += step - milliseconds(delta)
	c.doubt.lone = 0
	t.reunite()
}

func (c *lane) advance(delta uint32) {
	c.last += delta
	step := milliseconds(delta)
	c.at += step
	if step > 0 && step <= int64(maxStepForward) {
		c.step = step
	}
}

// honest tells whether a long step forward is a pause of this lane alone: it leads to
// where another one is.
func (t *timeline) honest(c *lane, delta uint32) bool {
	d := milliseconds(delta)
	if d < 0 {
		return false
	}
	for _, o := range t.lanes {
		if o != c && o.started && o.offset == c.offset && near(c.line()+d, o.line(), int64(maxStep)) {
			return true
		}
	}
	return false
}

// paused tells whether a long step forward leads no further than the present:
// time passed for the encoder, too.
func (t *timeline) paused(c *lane, delta uint32, arrived time.Duration) bool {
	d := milliseconds(delta)
	to := c.line() + d
	ahead := to + t.slew.at(to) - t.began - int64(arrived)
	return d > 0 && ahead <= max(t.slew.best(), 0)+int64(maxStep)
}

// alone tells whether it is this lane alone that paused: another has gone on, and
// its timestamps with it. Where that one leapt meanwhile, a pause leads to where it is.
func (t *timeline) alone(c *lane, delta uint32) bool {
	d := milliseconds(delta)
	for _, o := range t.lanes {
		// In a burst all is heard at once.
		leaped := o.crossing.leap.when > 0 && o.crossing.leap.when >= c.heard
		gone := o.line() - c.line()
		if o != c && o.started && o.heard >= c.heard && (!leaped && gone > d/2 || near(gone, d, int64(time.Second))) {
			return true
		}
	}
	return false
}

// mend joins a broken line to the present, where it fell behind that. It returns by
// how many ns all that lies behind the break is later. A lane that hasn't jumped yet
// is moved, too: a few of its units come out late, where there would be a hole in the
// middle of the period.
func (t *timeline) mend(arrived time.Duration) (later int64) {
	for _, c := range t.lanes {
		if gap := c.crossing.gap; gap > 0 && (later == 0 || gap < later) {
			later = gap
		}
	}
	if t.breach.backlog.unsure && t.settled() {
		later = 0
	}
	if late := t.late() - later; late > int64(slight) {
		later += late
	}
	for _, c := range t.lanes {
		c.offset += later
		c.crossing.mended(c.started)
	}
	if later > 0 {
		t.slew.restart()
	}
	t.forgetLags()
	t.breach.close(arrived)
	t.mended += later
	return later
}

// mendable tells whether the line is broken before a place, and can be mended: where
// the present is shows a little later than the break itself.
func (t *timeline) mendable(p place) bool {
	return t.breach.open && p.stretch == t.breach.stretch && t.settled()
}

// settled tells whether it shows where the present is.
func (t *timeline) settled() bool {
	furthest := int64(math.MinInt64)
	for _, c := range t.lanes {
		furthest = max(furthest, c.line())
	}
	return t.breach.backlog.settled(furthest)
}

// late is how far the line is behind the clock where nothing is late but it.
func (t *timeline) late() int64 {
	if t.breach.backlog.unsure {
		return -t.breach.backlog.most
	}
	return -t.slew.ahead()
}
