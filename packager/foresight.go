package packager

// A DASH manifest lists the segment in production, and the one behind it, where
// their ends can be foreseen.

// foresee says of each open segment how long it should get. It says so once in
// a segment: a manifest must not change without saying when it did.
func (p *Publication) foresee() {
	for _, w := range p.writers {
		w.expect, w.next = 0, 0
		if w.open == nil || p.leader.open == nil {
			continue
		}
		end, ok := p.endOf(w)
		span := end - nanoseconds(w.open.PTS, w.header.Track.Timescale)
		if !ok || span <= 0 {
			continue
		}
		w.promise = w.starts(w.open.PTS + p.lasts(w, span))
		if w.promise <= w.open.Start {
			w.promise = 0
			continue
		}
		w.expect = w.promise - w.open.Start
		if p.rhythm.sure {
			left := end - nanoseconds(w.promise, w.header.Track.Timescale) // of what was foreseen
			w.next = p.lasts(w, left+int64(p.rhythm.segment))
		}
	}
}

// lasts is how many ticks of a rendition's segment there are in a span of the
// leader's, in nanoseconds.
func (p *Publication) lasts(w *writer, span int64) int64 {
	ticks := ticksOf(span, w.header.Track.Timescale)
	if w != p.leader {
		ticks = p.followTo(w, ticks)
	}
	return ticks
}

// endOf is where a rendition's open segment should end, in nanoseconds: at a
// boundary that the leader has gone beyond, or at the end of the leader's own.
func (p *Publication) endOf(w *writer) (at int64, ok bool) {
	if w != p.leader {
		from := p.newBoundary(w)
		for _, at := range p.starts {
			if at > from {
				return at, true
			}
		}
	}
	lead := p.leader
	rest := p.rhythm.segment - p.sinceKeyframe(lead) // behind what is settled
	return nanoseconds(lead.open.PTS+lead.open.Duration, lead.header.Track.Timescale) + int64(rest),
		p.rhythm.sure && p.opening != openingFirst
}

// followTo is how many ticks of a follower's segment end at the leader's
// boundary that is span ticks behind its beginning: as beyond and carry decide.
func (p *Publication) followTo(w *writer, span int64) int64 {
	frame := max(1, int64(w.frame))
	n := max(1, (span-frame/2+frame-1)/frame)
	part := int64(0)
	for i := range n {
		if p.cutter.grid.ends(w.duration(i*frame), w.duration(part*frame), w.duration(frame)) {
			part = 0
		}
		part++
	}
	if part < n && p.cutter.grid.scrap(w.duration(part*frame)) && !w.frames {
		n -= part
	}
	return n * frame
}
