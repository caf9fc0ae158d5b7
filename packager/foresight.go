package packager

// A DASH manifest lists the segment in production, and the one behind it, where
// their ends can be foreseen.

// foresight is what is foreseen of a rendition's open segment, in ticks.
type foresight struct {
	expected int64 // how long it should get from its Start on, 0 when that can't be known
	next     int64 // the same of the one behind it
	promise  int64 // where that one starts; 0 where it wasn't foreseen
	offBeat  bool  // the last segment ended at a keyframe that is not where the leader's was
}

// foresee says of each open segment how long it should get. It says so once in
// a segment: a manifest must not change without saying when it did.
func (p *publication) foresee() {
	for _, w := range p.writers {
		w.foresight.expected, w.foresight.next = 0, 0
		if w.open == nil || p.leader.open == nil || w.foresight.offBeat {
			continue
		}
		if end, known := w.beat.end(w.msn); known && !w.leads {
			w.foresee(end)
		} else if end, known := p.leader.foreseenEnd(); known {
			w.foresee(end)
		}
	}
	for _, w := range p.writers {
		w.foreseeLike(p.leader)
	}
}

// foreseeLike lets the next segment of a picture have the start that the leader's has, to
// the tick, unless the last one was seen to be out of step with it.
func (w *writer) foreseeLike(leader *writer) {
	f := &w.foresight
	if f.promise == 0 || w.open == nil || leader.open == nil || w == leader || !w.isVideo() || w.step.even < 0 || w.part.timescale != leader.part.timescale {
		return
	}
	promise := leader.foresight.promise
	switch n := int(leader.msn - w.msn); { // it may be there already
	case n == 1:
		promise = leader.open.Start
	case n > 1 && n <= len(leader.closed)+1:
		promise = leader.closed[len(leader.closed)+1-n].Start
	case n != 0:
		return
	}
	if frame := int64(w.newest.lasts); promise > w.open.Start && near(promise, f.promise, frame) {
		f.promise, f.expected = promise, promise-w.open.Start
	}
}

// foreseenEnd is where the leader's open segment should end, ns.
func (w *writer) foreseenEnd() (at int64, known bool) {
	rest := w.beat.regularity.segment - w.sinceKeyframe() // behind what is settled
	return w.nanoseconds(w.open.PTS+w.open.Duration) + int64(rest), w.beat.regularity.sure && w.beat.opening != openingFirst
}

// foresee says how long the open segment gets, if the leader's ends there, ns.
func (w *writer) foresee(end int64) {
	f := &w.foresight
	span := end - w.nanoseconds(w.open.PTS)
	if span <= 0 {
		return
	}
	f.promise = w.starts(w.open.PTS + w.lasts(span))
	if f.promise <= w.open.Start {
		f.promise = 0
		return
	}
	f.expected = f.promise - w.open.Start
	if w.beat.regularity.sure {
		left := end - w.nanoseconds(f.promise) // of what was foreseen
		f.next = w.lasts(left + int64(w.beat.regularity.segment))
	}
}

// lasts is how many ticks of a rendition's segment there are in a span of the
// leader's, in nanoseconds.
func (w *writer) lasts(span int64) int64 {
	ticks := w.ticks(span)
	if !w.leads {
		ticks = w.followTo(ticks)
	}
	return ticks
}

// followTo is how many ticks of a follower's segment end where the leader's ends
// that is span ticks behind its beginning: as beyond and carry decide.
func (w *writer) followTo(span int64) int64 {
	frame := max(1, int64(w.newest.lasts))
	n := max(1, (span-frame/2+frame-1)/frame)
	part, next := int64(0), w.duration(frame)
	for i := range n {
		d := w.duration(part * frame)
		if w.beat.grid.mayEnd(d, next) && w.beat.grid.ends(w.duration(i*frame), d, next) {
			part = 0
		}
		part++
	}
	if part < n && w.carries(w.duration(part*frame)) {
		n -= part
	}
	return n * frame
}

// starts is where a segment that begins at pts is said to start: there, or where
// it was foreseen to. Its name was told to players then, so it stays as long as
// it is as good as true.
func (w *writer) starts(pts int64) int64 {
	const frames = 2 // as when audio ends an access unit earlier than its leader
	promise := w.foresight.promise
	off := max(pts, promise) - min(pts, promise)
	if most := int64(w.part.timescale) / 10; promise != 0 && off <= min(frames*int64(w.newest.lasts), most) {
		return promise
	}
	return pts
}
