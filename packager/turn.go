package packager

import "github.com/sluice-live/sluice/remux"

// turn is a period that begins while several publishers are on air, since the decoder
// of one of their renditions must begin anew. It begins where a segment of all does, so
// each rendition goes over to it between two of its own: of the others nothing is lost, and
// none waits for another.
//
// Where the new configuration comes when the leader has begun that segment already, the
// rendition that changes is lost until the next one begins. That can't be had for less: the
// leader's first parts of the segment have been told and fetched in the period before, so
// the period can't begin in front of them; a header of another decoder without a period would
// be an EXT-X-MAP without the DISCONTINUITY that it needs (RFC 8216bis, section 6.2.1), or one
// with a DISCONTINUITY that the other renditions don't have; and to hold the leader back until
// all have begun would cost all viewers that latency at each segment, for what is rare.
type turn struct {
	tracks map[RenditionID]remux.Track // that are new
	from   MSN                         // the first segment of the period; 0 until the leader has come there
	newest func() MSN                  // of all renditions: none may be beyond the end behind which it begins
}

// plan lets a period begin with the next segment, in which a publisher can go on. What
// its renditions were is over.
func (p *publication) plan(c *Contribution) {
	if p.turn == nil {
		p.turn = &turn{tracks: make(map[RenditionID]remux.Track), newest: p.newestNumber}
	}
	if p.turn.from > 0 {
		return // one is under way; the publisher asks again
	}
	for i := range c.tracks {
		t := c.track(i)
		if t.Kind() == remux.Audio && !p.soundIs(c) {
			continue
		}
		if w := p.writerOf(c.renditionID(i)); w != nil && !w.header.Track.Same(t) {
			p.turn.tracks[w.id] = t
		}
	}
}

// unplan lets the pictures of a publisher that goes on air have the header that they have, whatever another one
// had planned for them.
func (p *publication) unplan(c *Contribution) {
	if p.turn == nil || p.turn.from > 0 {
		return
	}
	for i := range c.tracks {
		if c.tracks[i].Kind() == remux.Video {
			delete(p.turn.tracks, c.renditionID(i))
		}
	}
	if len(p.turn.tracks) == 0 {
		p.turn = nil
	}
}

// coming is the track with which a rendition goes on: with the next segment, where a period has begun.
func (w *writer) coming() remux.Track {
	if t := w.turn; t != nil && t.from > 0 && w.header.Period != w.beat.period {
		if track, anew := t.tracks[w.id]; anew {
			return track
		}
	}
	return w.header.Track
}

// turns lets the renditions that a publisher waits to go on with go over to the period
// that was planned, where the leader has come there. It tells whether they have.
func (p *publication) turns(c *Contribution) bool {
	if p.turn.from == 0 {
		return false
	}
	end, _ := p.beat.end(p.turn.from - 1)
	some := false
	for i := range c.tracks {
		w := p.writerOf(c.renditionID(i))
		if w == nil || w.header.Period == p.beat.period {
			continue
		}
		if _, anew := p.turn.tracks[w.id]; anew {
			if w.fillTo(end) != nil || w.header.Period != p.beat.period {
				return false
			}
			some = true
		}
	}
	return some
}

// newestNumber is that of the newest segment of all renditions.
func (p *publication) newestNumber() MSN {
	newest := MSN(0)
	for _, w := range p.writers {
		newest = max(newest, w.newestNumber())
	}
	return newest
}

// beginTurn lets the period that is planned begin behind the segment of that number, which
// ends there, ns.
func (c *common) beginTurn(n MSN, at int64) {
	t := c.turn
	if t == nil || t.from > 0 || t.newest() > n {
		return
	}
	c.beat.turn(c.now())
	c.beat.period.Start = at
	t.from = n + 1
}

// takeTurn lets a rendition go over to the period, where its first segment is next.
func (w *writer) takeTurn() {
	t := w.turn
	if t == nil || t.from == 0 || w.msn < t.from || w.header.Period == w.beat.period {
		return
	}
	track, anew := t.tracks[w.id]
	if !anew {
		track = w.header.Track
	}
	leads, away, promise := w.leads, w.absence, w.foresight.promise
	sealed := w.newest.sealed
	w.begin(track)
	w.leads, w.absence, w.foresight.promise, w.newest.sealed = leads, away, promise, sealed
}

// turned forgets a period that was planned once all have gone over to it.
func (p *publication) turned() {
	if p.turn == nil || p.turn.from == 0 {
		return
	}
	for _, w := range p.writers {
		if w.header.Period != p.beat.period {
			return
		}
	}
	p.turn = nil
}
