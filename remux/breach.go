package remux

import (
	"math"
	"time"
)

// followTime is how long the tracks of a stream may take to jump together.
const followTime = 10 * time.Second

// breach is a break of the line in the making.
//
//	first lane jumps        all have jumped         keyframe         all have come along
//	      ├── leap ────────────── open ─────────────── closed ─────────────┤
//	          others may follow       goes on smoothly    stragglers are behind
type breach struct {
	open    bool          // the next period must be another stretch of time
	stretch int           // how many there were so far
	backlog backlog       // how late that is, where the line broke behind a silence
	closed  time.Duration // when the last one was mended
}

func (b *breach) begin() {
	if !b.open {
		b.open = true
		b.stretch++
	}
}

func (b *breach) close(arrived time.Duration) {
	b.open, b.backlog, b.closed = false, backlog{}, arrived
}

// crossing is what one lane has to do with a breach.
type crossing struct {
	side side
	leap leap  // that others may follow
	gap  int64 // ns that its jumps leave the line behind the present
}

// side is on which side of a breach a lane is.
type side uint8

const (
	sideNone   side = iota // there is no breach, or it hasn't jumped
	sideAcross             // it has jumped
	sideBehind             // the line was mended, and it has yet to make the jump
)

// leap is a jump of one lane.
type leap struct {
	when  time.Duration // 0: there is none
	step  uint32        // beyond the one to the next frame, ms
	shift int64         // what it did to the offset, ns
}

// alike tells whether a step is the same jump, give or take where each lane was.
func (l leap) alike(delta uint32, arrived time.Duration) bool {
	return l.when > 0 && arrived-l.when < followTime && alike(l.step, delta)
}

func alike(a, b uint32) bool { return near(milliseconds(a-b), 0, int64(time.Second)) }

// mended notes that the line was mended.
func (x *crossing) mended(started bool) {
	if started && x.side != sideAcross {
		x.side = sideBehind
	} else {
		x.side = sideNone
	}
	x.gap = 0
}

// jump lets a lane go on where it was at another timestamp. The line is broken when
// the others have come along, or aren't there to say.
func (t *timeline) jump(c *lane, timestamp uint32, arrived time.Duration) {
	t.jumps++
	delta := timestamp - c.last
	step := c.stride()
	first := t.leaped(c, delta, arrived)
	if first != nil {
		if s := milliseconds(delta - first.crossing.leap.step); s > 0 && s <= int64(maxStep) {
			step = s // that lane says how much of it is the leap
		}
	}
	next, before := c.line()+step, c.offset
	away, silent := t.away(c, delta, step, arrived)
	follows := c.crossing.side == sideBehind && arrived-t.breach.closed < followTime
	c.last = timestamp
	c.at += milliseconds(delta)
	c.unwrap(t.newest(c).lane) // half of 2^32 is as far forward as back: all lanes count alike
	c.offset = next - c.at
	within := maxStep
	switch {
	case first != nil && near(c.at+before+first.crossing.leap.shift, next, int64(20*time.Millisecond)):
		c.offset, within = before+first.crossing.leap.shift, 0 // the same leap: the bases are as far apart as they were
	case c.step == 0:
		within = maxStepForward // a lone frame tells less than timestamps that are beside another lane's
	case first == nil && !follows:
		within = time.Duration(step) + 20*time.Millisecond // it may be by chance
	}
	adopted := false
	c.strayed = 0
	for _, o := range t.lanes {
		if o == c {
			continue
		}
		adopted = adopted || c.adopt(o, next, within)
		c.strayed = max(c.strayed, o.strayed) // it has an offset of its own now
	}
	c.doubt.lone, c.pace.still = 0, 0
	c.pace.alike, c.pace.shared, c.pace.crept, c.pace.moved = 0, 0, 0, arrived
	c.crossing.side, c.crossing.leap = sideNone, leap{}
	if follows { // the leap that the line was mended for
		return
	}
	c.crossing.leap = leap{max(arrived, 1), delta - uint32(step/int64(time.Millisecond)), c.offset - before}
	t.follow(c, delta, arrived)
	if t.breach.open {
		c.crossing.side = sideAcross
	}
	if away > int64(maxStepForward) {
		c.crossing.gap += away
		if silent {
			t.breach.backlog = backlog{unsure: true, most: math.MinInt64 / 2, at: next}
		}
	}
}

// leaped is another lane that made the same jump of late, nil where there is none.
func (t *timeline) leaped(c *lane, delta uint32, arrived time.Duration) *lane {
	for _, o := range t.lanes {
		if o != c && o.crossing.leap.alike(delta, arrived) {
			return o
		}
	}
	return nil
}

// follow breaks the line where the others bear out the jump of a lane, or aren't
// there to say.
func (t *timeline) follow(c *lane, delta uint32, arrived time.Duration) {
	var along []*lane
	expected := 0 // others that may yet make the same jump
	for _, o := range t.lanes {
		s := o.doubt.suspect
		switch {
		case o == c:
		case o.crossing.leap.alike(delta, arrived):
			along = append(along, o)
		case !o.started, arrived-o.heard > maxStepForward:
			expected++
		case s != nil && alike(s.timestamp-o.last, delta):
			expected++ // it is about to
		default:
			return
		}
	}
	t.breach.begin()
	for _, o := range along {
		o.crossing.side = sideAcross
		if expected == 0 {
			o.crossing.leap, c.crossing.leap = leap{}, leap{}
		}
	}
}

// away is how long the encoder was away before a jump, in ns: it says so itself,
// or nothing came.
func (t *timeline) away(c *lane, delta uint32, step int64, arrived time.Duration) (length int64, silent bool) {
	if d := milliseconds(delta); t.paused(c, delta, arrived) {
		return d - step, false
	}
	heard := c.heard
	for _, o := range t.lanes {
		heard = max(heard, o.heard)
	}
	return int64(arrived-heard) - step, true
}
