package packager

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Publication is the writer's side of a stream: a remux.Output that leaves a
// new Window whenever a part is complete. It is used by one goroutine.
type Publication struct {
	OnLate func() // called for each sample that comes when its place is filled; may be nil

	stream  *Stream
	set     Settings
	now     func() time.Time
	release func(lost bool)

	leftOut  []string // see LeaveOut
	captions remux.Captions
	writers  []*writer // of the period, video first
	tracks   []*writer // the same by track index: without those that the encoder has no track for any more
	leader   *writer   // has the keyframes: the first video, else the first audio
	former   []former  // renditions that the period doesn't have
	period   *Period
	cutter   cutter

	target   int     // target duration in seconds, 0 while it isn't known
	starts   []int64 // presentation times, ns, at which segments end: where the leader's begin, but for a period's first
	head     int64   // DTS of the sample of the period that is furthest, ns
	next     int64   // first number of a rendition that has none before it
	sequence int64   // of the next period
	id       int64   // of the newest
	listed   int     // how many segments playlists have at most
	extent   time.Duration
	changed  time.Time
	dirty    change
	begun    bool // it was playable once
	opening  opening
	rhythm   rhythm
}

// newestID is the id of the newest period that a rendition has segments of. Who
// comes next goes on behind it: names have nothing else but media times, which
// a clock that was set may bring again.
func newestID(r *Rendition) int64 {
	newest := int64(0)
	for _, list := range [][]*Segment{r.Segments, r.Retired} {
		if n := len(list); n > 0 {
			id, _ := strconv.ParseInt(list[n-1].Header.Period.ID, 36, 64) // SetTracks made it
			newest = max(newest, id)
		}
	}
	return newest
}

// change is what happened since the newest Window was made.
type change uint8

const (
	changeNone   change = iota
	changeGrowth        // of a part
	changePart
	changeSegment
)

func newPublication(s *Stream, set Settings, least numbers, now func() time.Time, release func(lost bool)) *Publication {
	p := &Publication{
		stream:  s,
		set:     set,
		now:     now,
		release: release,
		listed:  set.Segments,
		cutter:  cutter{segmentMin: set.SegmentMinDuration, segmentMax: set.SegmentMaxDuration, partEarly: set.PartDuration / 2},
		changed: now(),
	}
	if old := s.Window(); len(old.Renditions)+len(old.Former) > 0 {
		// The segments of the publication before stay fetchable, but the
		// playlist is a new one.
		least = least.or(numbersBehind(old))
		for r := range old.all {
			p.retire(r, old.Extent+old.Longest())
			p.id = max(p.id, newestID(r))
		}
		w := newWindow(s.name)
		w.Former, w.Changed = p.formers(), p.changed
		s.publish(w)
	}
	p.next, p.sequence = least.media, least.discontinuity
	if set.TargetDuration > 0 {
		p.freeze(int(set.TargetDuration / time.Second))
	}
	return p
}

// LeaveOut notes, in sentences, what viewers don't get. It keeps the list.
func (p *Publication) LeaveOut(sentences []string) { p.leftOut = sentences }

// Caption notes which captions the pictures have.
func (p *Publication) Caption(c remux.Captions) { p.captions = c }

// former is a rendition that has nothing to come, but segments that players
// may still ask for.
type former struct {
	Rendition
	until time.Time
}

// retire keeps what a rendition has fetchable for that long.
func (p *Publication) retire(r *Rendition, keep time.Duration) {
	p.former = append(p.former, former{
		Rendition: Rendition{
			ID:      r.ID,
			Retired: append(r.Retired[:len(r.Retired):len(r.Retired)], r.Segments...),
			Open:    r.Open,
		},
		until: p.changed.Add(2 * keep),
	})
}

// formers returns what is still kept of them.
func (p *Publication) formers() []Rendition {
	p.former = slices.DeleteFunc(p.former, func(f former) bool { return p.changed.After(f.until) })
	var all []Rendition
	for _, f := range p.former {
		all = append(all, f.Rendition)
	}
	return all
}

// freeze settles the target duration for the life of the publication: players
// stop for good when it changes.
func (p *Publication) freeze(target int) {
	p.target = target
	p.cutter.segmentMax = longest(target)
}

// Begin lets a session go on no earlier than where the line ends.
func (p *Publication) Begin(now time.Time) time.Time {
	for _, w := range p.writers {
		w.late = lateness{} // another encoder may interleave otherwise
	}
	if end := p.stream.Window().End(); end.After(now) {
		return end
	}
	return now
}

// SetTracks begins a period.
func (p *Publication) SetTracks(tracks []remux.Track) error {
	p.closeSegments()
	p.id = max(p.id+1, p.now().UnixNano())
	p.period = &Period{ID: strconv.FormatInt(p.id, 36), Sequence: p.sequence, Start: -1}
	p.sequence++
	before, led := p.writers, p.led()
	for _, w := range before {
		p.next = max(p.next, int64(w.msn))
	}
	p.writers, p.leader, p.starts, p.head = nil, nil, nil, 0
	var count [2]int
	for i, t := range tracks {
		count[t.Kind()]++
		id := RenditionID(fmt.Sprintf("%c%d", t.Kind().String()[0], count[t.Kind()]))
		w := p.writer(id, before)
		w.begin(p.period, t, p.set.FrameFragments)
		p.writers = append(p.writers, w)
		if p.leader == nil || p.leader.header.Track.Kind() != remux.Video && t.Kind() == remux.Video {
			p.leader = p.writers[i]
		}
	}
	p.tracks = slices.Clone(p.writers)
	for _, w := range before {
		if slices.Contains(p.writers, w) {
			continue
		}
		if p.goesOn(w) {
			continue
		}
		var r Rendition
		w.snapshot(&r)
		p.retire(&r, p.extent+longest(p.target))
	}
	p.align()
	if p.led() != led {
		p.rhythm = rhythm{}
	}
	if p.opening == openingSecond { // the rest of its GOP is not to come
		p.opening = openingDone
	}
	return nil
}

// led is what the rhythm of segments depends on.
func (p *Publication) led() (l struct {
	writer *writer
	told   time.Duration
}) {
	if l.writer = p.leader; p.leader != nil {
		l.told = p.leader.header.Track.KeyframeInterval
	}
	return l
}

// writer returns the writer of a rendition, which goes on from period to
// period and takes over what an earlier one left.
func (p *Publication) writer(id RenditionID, before []*writer) *writer {
	for _, w := range before {
		if w.id == id {
			return w
		}
	}
	w := &writer{id: id, msn: MSN(p.next)}
	p.former = slices.DeleteFunc(p.former, func(f former) bool {
		if f.ID != id {
			return false
		}
		w.closed, w.listed = f.Retired, len(f.Retired)
		w.msn = max(w.msn, f.Open)
		return true
	})
	return w
}

// align lets all renditions of a period begin with the same number.
func (p *Publication) align() {
	first := MSN(0)
	for _, w := range p.writers {
		first = max(first, w.msn)
	}
	for _, w := range p.writers {
		if len(w.closed) == w.listed { // no gap in a playlist
			w.msn = first
		}
	}
}

// WriteSample takes one sample. The renditions that it leaves behind are filled up
// to where its own is, but for their patience.
func (p *Publication) WriteSample(s remux.Sample) error {
	w := p.tracks[s.Track]
	if p.period.Start < 0 {
		p.period.Start = p.periodStart(w, s)
	}
	p.heard(w, s)
	inTime, err := p.back(w, s)
	if err != nil {
		return err
	}
	if err := p.pace(w); err != nil {
		return err
	}
	if !inTime {
		if p.OnLate != nil {
			p.OnLate()
		}
	} else if err := p.write(w, s); err != nil {
		return err
	}
	p.publish()
	return nil
}

// write puts a sample into a rendition, cuts before it where that is due, and
// closes the part behind it when no other sample will fit.
func (p *Publication) write(w *writer, s remux.Sample) error {
	if err := p.bridge(w, s); err != nil {
		return err
	}
	s = w.follow(s)
	w.settle(s.DTS)
	p.begin(w, s)
	whole := s.Duration
	if w.early > 0 {
		if room := uint32(p.room(w)); whole+w.expects > room {
			s.Duration = max(w.expects, room) // it fills its part, and those behind it the next ones
		}
	}
	if err := p.cutBefore(w, s); err != nil {
		return err
	}
	if w.open == nil && s.Sync { // its segment begins where it is shown
		s.Duration = whole
	}
	if w.add(s); len(w.samples) == 1 {
		w.partBegan = p.now()
		if w.open.Samples == 0 {
			w.segmentBegan = w.partBegan
		}
	}
	if p.set.FrameFragments {
		if err := w.grow(); err != nil {
			return err
		}
		p.dirty = max(p.dirty, changeGrowth)
	}
	if p.cutter.grid.ends(w.duration(w.open.Duration+w.expected()), w.duration(w.partTicks+w.expected()), w.duration(int64(w.expects))) {
		// Waiting for the next sample to learn how long this one lasts would
		// cost a frame's time. It lasts as long as expected, and the next one
		// is fitted behind it.
		w.seal()
		return p.closePart(w)
	}
	if p.bulky(w) {
		w.seal()
		return p.closePart(w)
	}
	return nil
}

// begin settles, at the first samples, what they tell.
func (p *Publication) begin(w *writer, s remux.Sample) {
	if w != p.leader {
		p.join(w, nanoseconds(s.DTS, w.header.Track.Timescale))
		return
	}
	if w.open != nil && len(w.open.Parts) == 0 && len(w.samples) == 1 { // from the second sample on, the frame rate is a fact
		p.measure(w.duration(int64(s.Duration)))
	}
	gop := w.header.Track.KeyframeInterval
	if unit := int64(s.Duration); w.header.Track.Kind() == remux.Audio && unit > 0 {
		// It can be cut behind any unit: the first at which the least is reached.
		least := ticksOf(int64(p.set.SegmentMinDuration), w.header.Track.Timescale)
		gop = w.duration((least - unit/2 + unit - 1) / unit * unit)
	}
	if gop == 0 || p.rhythm.segment > 0 {
		return
	}
	p.rhythm = told(segmentOf(gop, p.set.SegmentMinDuration))
	if p.target == 0 {
		p.freeze(targetDuration(p.rhythm.segment, p.set.SegmentMinDuration))
	}
}

// measure lays the grid of parts, or fits it to what is now known of segments.
func (p *Publication) measure(frame time.Duration) {
	all := []cadence{{frame, p.leader.header.Track.Kind() == remux.Video}}
	for _, w := range p.writers {
		if unit := w.header.Track.UnitDuration; unit > 0 && w != p.leader {
			all = append(all, cadence{frame: w.duration(int64(unit))})
		}
	}
	segment := time.Duration(0)
	if p.rhythm.sure {
		segment = p.rhythm.segment
	}
	if p.cutter.grid.step == 0 {
		p.cutter.grid = newGrid(p.set.PartDuration, segment, all...)
	} else {
		p.cutter.grid = p.cutter.grid.with(segment, all...)
	}
}

// periodStart is where a period begins whose first sample is s. Behind another
// period that is what is shown first: the other's last pictures must not be cut
// off. At the beginning it is earlier, so that no sample lies before it.
func (p *Publication) periodStart(w *writer, s remux.Sample) int64 {
	at := s.DTS
	if len(w.closed) > w.listed {
		at += int64(s.CompositionOffset)
	}
	return nanoseconds(at, w.header.Track.Timescale)
}

// cutBefore ends what the coming sample is not part of.
func (p *Publication) cutBefore(w *writer, s remux.Sample) error {
	switch p.decide(w, s) {
	case cutSegment:
		if w == p.leader {
			if !w.open.Gaps {
				p.rhythm.heard(p.sinceKeyframe(w), w.duration(int64(s.Duration)))
			}
			p.opening = openingDone
			p.leadTo(s)
			return p.closeSegment(w)
		}
		if p.cutter.grid.scrap(w.duration(w.partTicks)) && len(w.open.Parts) > 0 && !w.frames {
			w.carry(p.listed)
			p.segmentClosed(w)
			return nil
		}
		return p.closeSegment(w)
	case cutOpening:
		p.opening = openingSecond
		p.leadTo(s)
		return p.closeSegment(w)
	case cutPart:
		return p.closePart(w)
	}
	return nil
}

func (p *Publication) decide(w *writer, s remux.Sample) cut {
	if w.open == nil {
		return cutNothing
	}
	if len(w.samples) == 0 && p.bulkySegment(w, s.Sync) {
		return cutSegment
	}
	segment, part, next := w.duration(w.open.Duration), w.duration(w.partTicks), w.duration(int64(s.Duration))
	if w != p.leader {
		return p.cutter.follower(segment, part, next, p.beyond(w, s))
	}
	switch p.opening {
	case openingFirst:
		if p.target > 0 && len(w.open.Parts) > 0 {
			return cutOpening
		}
	case openingSecond:
		segment = p.sinceKeyframe(w)
	}
	if owed, ok := p.owed(); ok && nanoseconds(s.DTS+int64(s.CompositionOffset)+int64(s.Duration)/2, w.header.Track.Timescale) >= owed {
		return cutSegment
	}
	if w.open.Gaps && w.open.Samples == 0 && len(w.samples) == 0 {
		return cutSegment // a segment's date is that of its first sample
	}
	if s.OpenGOP && w.open.Independent {
		// How many pictures lead differs: groups are as long as they are shown.
		segment = max(segment, w.duration(s.DTS+int64(s.CompositionOffset)-w.sync))
	}
	return p.cutter.leader(segment, part, next, s.Sync, w.open.Independent || p.opening != openingDone)
}

// sinceKeyframe is the duration of the leader's open segment, with what the
// first of a publication took of its GOP.
func (p *Publication) sinceKeyframe(w *writer) time.Duration {
	d := w.duration(w.open.Duration)
	if p.opening == openingSecond {
		d += w.closed[len(w.closed)-1].duration()
	}
	return d
}

func (p *Publication) closePart(w *writer) error {
	if err := w.closePart(); err != nil {
		return err
	}
	p.dirty = max(p.dirty, changePart)
	return nil
}

func (p *Publication) closeSegment(w *writer) error {
	if w == p.leader {
		p.listed = p.list()
	}
	if err := w.closeSegment(p.listed); err != nil {
		return err
	}
	p.segmentClosed(w)
	return nil
}

func (p *Publication) segmentClosed(w *writer) {
	p.dirty = changeSegment
	if w == p.leader && p.cutter.grid.step == 0 {
		p.cutter.grid = looseGrid(p.set.PartDuration) // it was one frame: nobody knows how long they last
	}
	if w == p.leader && p.target == 0 {
		longest := w.closed[len(w.closed)-1].duration()
		for _, o := range p.writers {
			if o.open != nil {
				longest = max(longest, o.duration(o.open.Duration+o.expected()))
			}
		}
		p.freeze(targetDuration(longest, p.set.SegmentMinDuration))
	}
	p.extent = max(p.extent, w.extent())
	w.forget(p.extent + longest(p.target))
}

// closeSegments ends the open segment of every rendition.
func (p *Publication) closeSegments() {
	for _, w := range p.writers {
		if w.away && p.head > 0 {
			_ = p.fillTo(w, p.head)
		}
	}
	_ = p.even()
	for _, w := range p.writers {
		w.settleLast()
		if w.open != nil {
			// Only a header that can't be written fails, and it was written.
			_ = p.closeSegment(w)
		}
	}
}

// publish shows what changed to the viewers, in one step for all renditions.
// It costs the same however long the window is.
func (p *Publication) publish() {
	if p.dirty == changeNone {
		return
	}
	if p.dirty >= changePart {
		p.fit()
	}
	if p.dirty == changeSegment {
		p.changed = p.now()
		p.foresee()
	}
	w := p.snapshot()
	if p.dirty == changeGrowth { // for those alone who read parts while they grow
		w.shared = p.stream.Window().shared
	}
	p.dirty = changeNone
	p.stream.publish(w)
}

func (p *Publication) snapshot() *Window {
	w := newWindow(p.stream.name)
	w.TargetDuration, w.PartTarget, w.Grain = p.target, p.cutter.grid.target, p.cutter.grid.target
	if p.set.FrameFragments && p.leader != nil {
		w.Grain = p.leader.duration(int64(p.leader.frame))
	}
	w.LeftOut, w.Captions = p.leftOut, p.captions
	w.Changed, w.Extent, w.Former = p.changed, p.extent, p.formers()
	w.Renditions = w.pair[:]
	if len(p.writers) > len(w.pair) {
		w.Renditions = make([]Rendition, len(p.writers))
	}
	w.Renditions = w.Renditions[:len(p.writers)]
	for i, from := range p.writers {
		from.snapshot(&w.Renditions[i])
	}
	p.begun = p.begun || w.Playable()
	w.begun = p.begun
	return w
}

// Close ends the session: everything received is in segments. The stream ends
// with it, unless the encoder was lost and may come back.
func (p *Publication) Close(cause error) {
	p.closeSegments()
	p.changed = p.now()
	p.foresee()
	lost := cause != nil && len(p.writers) > 0
	if lost {
		w := p.snapshot()
		w.State = Waiting
		p.stream.publish(w)
	}
	p.release(lost)
}

// end is the end of the stream. What was announced and never came is waited for
// no longer.
func (p *Publication) end() {
	p.changed = p.now()
	w := p.snapshot()
	w.State = Ended
	w.Renditions = slices.DeleteFunc(w.Renditions, func(r Rendition) bool { return len(r.Segments) == 0 })
	p.stream.publish(w)
}
