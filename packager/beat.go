package packager

import (
	"strconv"
	"time"
)

// beat is what the leading rendition decides for all of a stream: where segments
// end and with which numbers, the grid of parts, the target duration, and the
// period. Every writer asks it; the leader's leads it, too. Times are nanoseconds
// since 1970.
//
//	v1 (leads)   │ keyframe … │ keyframe … │
//	ends                      n           n+1      segment n ends here in all renditions:
//	a1           │ ………………… │ ………………… │          at the next access unit,
//	v2           │ keyframe ……… │ keyframe ………       at the next keyframe of its own
//
// It outlives periods and encoders: what players were told once stays.
type beat struct {
	cutter
	period *Period // nil before the first
	head   int64   // DTS of the sample of the period that is furthest
	led    int64   // DTS of the leader's newest
	paced  int64   // … and how far others are to follow it, see hurry
	calm   int64   // up to where paced may go before somebody could be behind by more than may be

	partDuration time.Duration // that is asked for
	leading      frames        // the leader's, by which the grid was laid
	target       int           // target duration in seconds, 0 while it isn't known
	regularity   regularity
	opening      opening

	id       int64 // of the newest period
	sequence int64 // of the next one
	number   MSN   // the first of a rendition that has none before it

	began     int64      // where the leader's first segment of the period begins; 0 before it does
	opened    int64      // where its newest does
	hidden    int64      // how much of it isn't shown, see preroll
	dependent bool       // … without a keyframe: it takes the first that comes
	keyed     int64      // its newest keyframe; 0 before there is one
	apart     int64      // … and how far that is from the one before; 0 before there are two
	refuted   int64      // the newest end at which the leader had no keyframe
	pacedAt   time.Time  // when paced was told
	first     MSN        // the segment that ends[0] is the end of
	ends      []int64    // where segments of the period end, for some of the newest
	followers []follower // the other renditions of the period
	pictured  bool       // there are pictures among them
}

// follower is what the beat asks of a rendition that keeps to it.
type follower interface {
	place() int64                   // how far it has come in presentation time
	frames() (f frames, known bool) // how long its frames last
	openDuration() time.Duration    // of its open segment, 0 where there is none
}

func newBeat(set Settings) beat {
	b := beat{
		cutter:       cutter{segmentMin: set.SegmentMinDuration, segmentMax: set.SegmentMaxDuration, partEarly: set.PartDuration / 2},
		partDuration: set.PartDuration,
	}
	if set.TargetDuration > 0 {
		b.freeze(int(set.TargetDuration / time.Second))
	}
	return b
}

// begin begins a period. Whose segments the first ones are is not known yet.
func (b *beat) begin(now time.Time) {
	b.id = max(b.id+1, now.UnixNano())
	b.period = &Period{ID: strconv.FormatInt(b.id, 36), Sequence: b.sequence, Start: -1}
	b.sequence++
	b.ends, b.head, b.paced, b.calm, b.began, b.opened, b.keyed, b.apart, b.refuted, b.followers = nil, 0, 0, 0, 0, 0, 0, 0, 0, nil
}

// turn begins a period that goes on with the numbers and the ends of the one before.
func (b *beat) turn(now time.Time) {
	before := *b
	b.begin(now)
	b.ends, b.head, b.paced, b.followers = before.ends, before.head, before.paced, before.followers
	b.began, b.opened, b.keyed, b.apart, b.refuted = before.began, before.opened, before.keyed, before.apart, before.refuted
}

// bounds are where the leader's newest segments begin and end, in order.
func (b *beat) bounds() []int64 {
	if len(b.ends) > 0 {
		return b.ends
	}
	if b.began > 0 {
		return []int64{b.began}
	}
	return nil
}

// opens notes that the leader's segment begins there, ns.
func (b *beat) opens(at, hidden int64, sync bool) {
	if b.opened, b.hidden, b.dependent = at, hidden, !sync; b.began == 0 {
		b.began = at
	}
}

// refute notes that the leader, whose segment began there, has no keyframe at an end, ns.
func (b *beat) refute(end, began int64) {
	if end > began {
		b.refuted = max(b.refuted, end)
	}
}

// mayEnd tells whether the leader may end its segment at a keyframe that lies there, ns, and
// hasn't come there.
func (b *beat) mayEnd(at int64) bool {
	least := b.segmentMin
	if b.dependent {
		least = min(least, b.grid.target)
	}
	return at-b.opened+b.hidden >= int64(least)
}

// isFirst tells whether a keyframe that lies there, ns, give or take, is the first at which the leader may end
// its segment, wherever others lie.
func (b *beat) isFirst(at, within int64) bool {
	return !b.dependent && b.hidden == 0 && at-b.opened < int64(b.segmentMin)+within
}

// keyframe notes a keyframe of the leader, ns. One that takes over has the same again that the one before had.
func (b *beat) keyframe(at int64) {
	const least = int64(100 * time.Millisecond)
	if at-b.keyed < least {
		return
	}
	if b.keyed > 0 {
		b.apart = at - b.keyed
	}
	b.keyed = at
}

// isDue tells whether the leader, whose keyframes are as far apart as its newest two, has one there, ns, give or take.
func (b *beat) isDue(at, within int64) bool {
	behind := at - b.keyed + within
	return behind >= 0 && b.apart > 2*within && behind%b.apart <= 2*within
}

// lies tells whether a picture that is shown at that time, ns, give or take, begins a
// segment of the leader.
func (b *beat) lies(at, within int64) placing {
	if near(at, b.opened, within) {
		return placeFits
	}
	last := b.opened
	for _, end := range b.ends {
		if near(at, end, within) {
			return placeFits
		}
		last = max(last, end)
	}
	if b.opened == 0 || at > last {
		return placeUnknown
	}
	return placeMissed
}

// end is where the segment of that number ends. It is not known before the leader
// has come there, or, while that is away, another rendition.
func (b *beat) end(n MSN) (at int64, known bool) {
	i := max(0, int(n-b.first))
	if i >= len(b.ends) {
		return 0, false
	}
	return b.ends[i], true
}

// numberAt is that of the segment which has what lies there.
func (b *beat) numberAt(at int64) MSN {
	i := len(b.ends)
	for i > 0 && b.ends[i-1] > at {
		i--
	}
	return b.first + MSN(i)
}

// lead notes the end of the newest segment.
func (b *beat) lead(at int64) {
	const keep = 64 // nobody is ever that far behind
	b.ends = append(b.ends, at)
	if over := len(b.ends) - keep; over > 0 {
		b.ends, b.first = b.ends[over:], b.first+MSN(over)
	}
}

// leadAway notes the ends that the head has come to while the leader is away:
// segments get as long as before, by the clock of those that are there.
func (c *common) leadAway() {
	b := &c.beat
	for next := b.next(); next <= b.head; next = b.next() {
		c.beginTurn(b.first+MSN(len(b.ends)), next)
		b.lead(next)
	}
}

// next is where the newest segment ends while the leader is away: as far behind the
// last end as segments last, or, where another rendition had gone beyond that before
// anybody knew that the leader is away, where that is.
func (b *beat) next() int64 {
	// One that a keyframe ended soon behind a cut without one says nothing.
	length := b.regularity.segment
	if step := b.grid.step; length < b.segmentMin && step > 0 {
		length = (b.segmentMin + step - 1) / step * step // whole parts
	}
	length = min(max(length, b.segmentMin), b.segmentMax-b.spare)
	last := b.period.Start
	if n := len(b.ends); n > 0 {
		last = b.ends[n-1]
	}
	const unit = 100 * time.Millisecond
	next := last + int64(length)
	for _, f := range b.followers {
		if at := f.place(); at-next > int64(unit) {
			next = min(at, last+int64(b.segmentMax))
		}
	}
	return next
}

// measure lays the grid of parts for frames of the leader that long, or fits it to
// what is now known of segments.
func (b *beat) measure(leading frames) {
	b.leading = leading
	all := []frames{leading}
	b.spare = 0
	for _, f := range b.followers {
		if f, known := f.frames(); known {
			all = append(all, f)
			// A follower ends its segment up to a frame later than the leader, and is to
			// have room for one that gets lost: it must not end it at its own limit.
			b.spare = max(b.spare, 2*min(f.last, 200*time.Millisecond))
		}
	}
	// A segment as long as the target, give or take its jitter, ends at its keyframe: where one more
	// frame of the leader is lost before that, too.
	b.spare = max(0, min(b.spare, targetSlack-targetJitter-min(leading.last, 200*time.Millisecond)))
	segment := time.Duration(0)
	if b.regularity.sure {
		segment = b.regularity.segment
	}
	if b.grid.step == 0 {
		b.grid = newGrid(b.partDuration, segment, all...)
	} else {
		b.grid = b.grid.with(segment, all...)
	}
}

// loosen lays a grid where nobody knows how long frames last.
func (b *beat) loosen() {
	if b.grid.step == 0 {
		b.grid = looseGrid(b.partDuration)
	}
}

// tell takes how far keyframes are apart, by what the encoder says of them.
func (b *beat) tell(gop time.Duration) {
	if gop == 0 || b.regularity.segment > 0 {
		return
	}
	b.regularity = told(segmentOf(gop, b.segmentMin))
	if b.target == 0 {
		b.freeze(targetDuration(b.regularity.segment, b.segmentMin))
	}
}

// ended takes the duration of a segment of the leader, or of the first that there is.
func (b *beat) ended(segment time.Duration) {
	b.loosen() // it was one frame
	if b.target > 0 {
		return
	}
	for _, f := range b.followers {
		segment = max(segment, f.openDuration())
	}
	b.freeze(targetDuration(segment, b.segmentMin))
}

// freeze settles the target duration for the life of the publication: players
// stop for good when it changes.
func (b *beat) freeze(target int) { b.target, b.segmentMax = target, longestOf(target) }

// longest is the most that a segment may last.
func (b *beat) longest() time.Duration { return longestOf(b.target) }
