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

// followTime is how long the tracks of a stream may take to jump together.
const followTime = 10 * time.Second

// timeline maps the timestamps of all tracks to one clock: nanoseconds since
// 1970. It has no clock of its own: when a timestamp arrived is an argument.
//
//	RTMP timestamp ─unwrap─▶ ns of the track, 64 bits ─+ offset─▶ the line ─+ slew─▶ ns since 1970
//
// Tracks share one offset as long as their timestamps are of one base. A track
// whose timestamps jump goes on where it was, and takes the other's offset
// where that fits. When all tracks have jumped, the line is broken: it goes on
// all the same until the remuxer can begin a new period and mend it.
type timeline struct {
	tracks   [2]trackClock // by Kind
	still    bool          // the clock of one or more stands still, for sure
	began    time.Time     // wall clock of the first arrival, or later
	slew     slew
	usual    [2]int64      // ns that a frame should last by its decoder, by Kind; 0 when that says nothing
	broken   bool          // the next period must be another stretch of time
	backlog  backlog       // … and how late that is, where it broke behind a silence
	mended   int64         // ns that it was moved by so far
	mendedAt time.Duration // when the last time
}

type trackClock struct {
	started bool
	last    uint32        // RTMP timestamp
	at      int64         // the same, unwrapped, ns
	offset  int64         // ns
	step    int64         // last plausible step, ns; 0 before the first
	heard   time.Duration // when it arrived
	pace    pace
	strayed int64 // ns that the offset has grown by in a standstill
	held    *suspect
	lone    int   // how many frames in a row are told from strays by nothing
	leap    leap  // that the other may follow
	jumped  bool  // where the line broke
	gap     int64 // ns that it is behind the present by that
	behind  bool  // it hasn't come along yet to where the line was mended
}

// leap is a jump of one track.
type leap struct {
	when  time.Duration // 0: there is none
	step  uint32        // beyond the one to the next frame, ms
	shift int64         // what it did to the offset, ns
}

// suspect is a timestamp that is off the line. Whether the stream jumped there
// or the frame is a stray one shows with the next.
type suspect struct {
	timestamp uint32
	heard     time.Duration
}

// placement is what the timeline says of a frame.
type placement struct {
	at     int64 // ns since 1970
	wait   bool  // there is no knowing before the next frame of the track
	held   fate  // of the frame that had to wait
	heldAt int64 // where it belongs
}

type fate uint8

const (
	fateNone  fate = iota // none waited
	fateKept              // the track jumped there
	fateStray             // it is dropped
	fateLone              // it may be either: it is kept, and the line goes on as if it weren't there
)

// mostLone is how many frames in a row may have timestamps that none near them
// bears out: a stray one and another, or a jump and a stray one behind it.
const mostLone = 2

// at places a timestamp that arrived at a time since the timeline began.
func (t *timeline) at(k Kind, timestamp uint32, arrived time.Duration) placement {
	c := &t.tracks[k]
	if !c.started {
		t.start(k, timestamp, arrived)
		return placement{at: t.placed(c, arrived)}
	}
	var p placement
	if c.held != nil {
		p.held = c.judge(timestamp, arrived)
		p.heldAt = t.settle(k, p.held)
	}
	delta := timestamp - c.last
	thawed, ok := t.thaw(k, delta, arrived)
	switch {
	case ok:
		t.stray(c, delta, thawed)
	case c.plausible(delta), t.honest(k, delta):
		t.stray(c, delta, t.paced(k, milliseconds(delta), arrived))
	case t.paused(c, delta, arrived):
		if beside(delta) || t.alone(k, delta) {
			t.advance(c, delta)
		} else {
			t.jump(k, timestamp, arrived)
		}
	default:
		c.held = &suspect{timestamp, arrived}
		p.wait = true
		return p
	}
	p.at = t.placed(c, arrived)
	return p
}

// judge decides on the frame that waits by the timestamp behind it. Where that
// goes on neither here nor there, those that follow will tell.
func (c *trackClock) judge(behind uint32, arrived time.Duration) fate {
	pause := milliseconds(behind - c.held.timestamp)
	switch {
	case c.follows(behind - c.held.timestamp):
		return fateKept
	case c.plausible(behind - c.last):
		return fateStray
	case pause > 0 && pause <= int64(arrived-c.held.heard+maxStep): // time passed for both of us
		return fateKept
	case c.lone < mostLone:
		return fateLone
	}
	return fateKept
}

// settle places the frame that waits.
func (t *timeline) settle(k Kind, f fate) (at int64) {
	c := &t.tracks[k]
	s := c.held
	c.held = nil
	if f == fateKept {
		t.jump(k, s.timestamp, s.heard)
		return t.placed(c, s.heard)
	}
	if f == fateLone {
		c.lone++
	}
	t.advance(c, uint32(c.step/int64(time.Millisecond))) // its place on the line
	return c.line() + t.slew.at(c.line())
}

// plausible tells whether a step, modulo 2^32, is one that the track makes
// anyway.
func (c *trackClock) plausible(delta uint32) bool {
	d := milliseconds(delta)
	if c.step == 0 {
		return beside(delta)
	}
	return d >= -int64(maxStep) && d <= max(int64(maxStep), 2*c.step)
}

// follows tells whether a step is one to the next frame, or over a few.
func (c *trackClock) follows(delta uint32) bool {
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

func (t *timeline) start(k Kind, timestamp uint32, arrived time.Duration) {
	c, other := &t.tracks[k], &t.tracks[1-k]
	*c = trackClock{started: true, last: timestamp, at: int64(timestamp) * int64(time.Millisecond)}
	if other.started {
		// Unwrap beside the other track, so that one base gives one offset.
		c.at = other.at + milliseconds(timestamp-other.last)
	}
	c.offset = t.began.UnixNano() + int64(arrived) - c.at
	c.adopt(other, other.line(), maxStepForward)
}

// line is where a track is, before slewing.
func (c *trackClock) line() int64 { return c.at + c.offset }

func (t *timeline) placed(c *trackClock, arrived time.Duration) int64 {
	c.heard = arrived
	ahead := c.line() - t.began.UnixNano() - int64(arrived)
	t.slew.heard(c.line(), ahead)
	t.backlog.heard(c.line(), ahead+t.slew.at(c.line()))
	return c.line() + t.slew.at(c.line())
}

// stray advances a track by a step that may be another one than its timestamps made.
func (t *timeline) stray(c *trackClock, delta uint32, step int64) {
	t.advance(c, delta)
	c.offset += step - milliseconds(delta)
	c.strayed += step - milliseconds(delta)
	c.lone = 0
	t.reunite()
}

func (t *timeline) advance(c *trackClock, delta uint32) {
	c.last += delta
	step := milliseconds(delta)
	c.at += step
	if step > 0 && step <= int64(maxStepForward) {
		c.step = step
	}
}

// honest tells whether a long step forward is a pause of this track alone: it
// is where the other one is.
func (t *timeline) honest(k Kind, delta uint32) bool {
	c, other := &t.tracks[k], &t.tracks[1-k]
	if d := milliseconds(delta); d < 0 || !other.started || other.offset != c.offset {
		return false
	}
	off := c.line() + milliseconds(delta) - other.line()
	return off <= int64(maxStep) && off >= -int64(maxStep)
}

// paused tells whether a long step forward leads no further than the present:
// time passed for the encoder, too.
func (t *timeline) paused(c *trackClock, delta uint32, arrived time.Duration) bool {
	d := milliseconds(delta)
	to := c.line() + d
	ahead := to + t.slew.at(to) - t.began.UnixNano() - int64(arrived)
	return d > 0 && ahead <= max(t.slew.best(), 0)+int64(maxStep)
}

// alone tells whether it is this track alone that paused: the other has gone on, and
// its timestamps with it.
func (t *timeline) alone(k Kind, delta uint32) bool {
	c, other := &t.tracks[k], &t.tracks[1-k]
	return other.started && (other.leap.when == 0 || other.leap.when <= c.heard) &&
		other.heard > c.heard && other.line()-c.line() > milliseconds(delta)/2
}

// jump lets a track go on where it was at another timestamp. The line is broken
// when the other track has come along, or isn't there to say.
func (t *timeline) jump(k Kind, timestamp uint32, arrived time.Duration) {
	c, other := &t.tracks[k], &t.tracks[1-k]
	delta := timestamp - c.last
	step := max(cmp.Or(c.step, t.usual[k]), int64(20*time.Millisecond))
	together := other.leap.when > 0 && arrived-other.leap.when < followTime && alike(other.leap.step, delta)
	if s := milliseconds(delta - other.leap.step); together && s > 0 && s <= int64(maxStep) {
		step = s // the other says how much of it is the leap
	}
	next, before := c.line()+step, c.offset
	away, silent := t.away(c, other, delta, step, arrived)
	follows := c.behind && arrived-t.mendedAt < followTime
	c.last = timestamp
	c.at += milliseconds(delta)
	if other.started {
		// Half of 2^32 is as far forward as back: both tracks count alike.
		c.at = other.at + milliseconds(timestamp-other.last)
	}
	c.offset = next - c.at
	within := maxStep
	switch {
	case together && near(c.at+before+other.leap.shift, next, int64(20*time.Millisecond)):
		c.offset, within = before+other.leap.shift, 0 // the same leap: the bases are as far apart as they were
	case c.step == 0:
		within = maxStepForward // a lone frame tells less than timestamps that are beside the other track's
	case !together && !follows:
		within = time.Duration(step) + 20*time.Millisecond // it may be by chance
	}
	c.adopt(other, next, within)
	c.behind, c.lone, c.pace.still = false, 0, 0
	c.strayed = other.strayed // it has an offset of its own now
	if follows {              // the leap that the line was mended for
		c.leap = leap{}
		return
	}
	c.leap = leap{max(arrived, 1), delta - uint32(step/int64(time.Millisecond)), c.offset - before}
	switch {
	case together:
		t.broken, other.jumped = true, true
		c.leap, other.leap = leap{}, leap{}
	case !other.started || arrived-other.heard > maxStepForward:
		t.broken = true
	case other.held != nil && alike(other.held.timestamp-other.last, delta):
		t.broken = true // it is about to follow
	}
	c.jumped = t.broken
	if away > int64(maxStepForward) {
		c.gap += away
		if silent {
			t.backlog = backlog{unsure: true, most: math.MinInt64 / 2, at: next}
		}
	}
}

// away is how long the encoder was away before a jump, in ns: it says so itself,
// or nothing came.
func (t *timeline) away(c, other *trackClock, delta uint32, step int64, arrived time.Duration) (length int64, silent bool) {
	if d := milliseconds(delta); t.paused(c, delta, arrived) {
		return d - step, false
	}
	return int64(min(arrived-c.heard, arrived-other.heard)) - step, true
}

// alike tells whether two tracks made the same step, give or take where each of
// them was.
func alike(a, b uint32) bool { return near(milliseconds(a-b), 0, int64(time.Second)) }

// adopt takes the other track's offset if that puts this track near a time at
// which it may be: then both are of one base, and stay in sync.
func (c *trackClock) adopt(other *trackClock, at int64, within time.Duration) {
	if other.started && near(c.at+other.offset, at, int64(within)) {
		c.offset = other.offset
	}
}

// mend joins a broken line to the present, where it fell behind that: it
// returns by how much all that follows is later. A track that hasn't jumped yet
// is moved, too: a few of its units come out late, where there would be a hole
// in the middle of the period.
func (t *timeline) mend(arrived time.Duration) int64 {
	later := t.tracks[0].gap
	if gap := t.tracks[1].gap; gap > 0 && (later == 0 || gap < later) {
		later = gap
	}
	if t.backlog.unsure && t.settled() {
		later = 0
	}
	if late := t.late() - later; late > int64(slight) {
		later += late
	}
	t.broken, t.backlog, t.mendedAt = false, backlog{}, arrived
	for k := range t.tracks {
		c := &t.tracks[k]
		c.offset += later
		c.behind = c.started && !c.jumped
		c.jumped, c.gap = false, 0
	}
	if later > 0 {
		t.slew.restart()
	}
	t.mended += later
	return later
}

// mendable tells whether a broken line can be mended: where the present is shows
// a little later than the break itself.
func (t *timeline) mendable() bool { return t.broken && t.settled() }

func (t *timeline) settled() bool {
	return t.backlog.settled(max(t.tracks[0].line(), t.tracks[1].line()))
}

// late is how far the line is behind the clock where nothing is late but it.
func (t *timeline) late() int64 {
	if t.backlog.unsure {
		return -t.backlog.most
	}
	return -t.slew.best()
}
