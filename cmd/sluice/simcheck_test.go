package main

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// floor is the numbers below which no later answer may fall.
func (l *ledger) floor(rendition string) [2]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.floors[rendition]
}

// checkPlaylist holds a playlist to what all viewers have seen before, and to
// what the same viewer saw of the same publication, if anything.
func (s *simulation) checkPlaylist(rendition string, p, before *lists.Playlist, a *answer) {
	s.mu.Lock()
	s.count.playlists++
	floor := s.floors[rendition]
	s.mu.Unlock()
	if a.held() == 0 && (p.Sequence < floor[0] || p.Discontinuity < floor[1]) {
		s.violate("N5", "%s: sequences %d and %d after %d", a.path, p.Sequence, p.Discontinuity, floor)
	}
	s.mu.Lock()
	s.floors[rendition] = [2]int64{max(floor[0], p.Sequence), max(floor[1], p.Discontinuity)}
	s.mu.Unlock()
	if before != nil {
		if p.Sequence < before.Sequence || p.Discontinuity < before.Discontinuity {
			s.violate("N5", "%s: sequences %d and %d after %d and %d", a.path, p.Sequence, p.Discontinuity, before.Sequence, before.Discontinuity)
		}
		if p.Target != before.Target || !p.Ended && p.PartTarget != before.PartTarget {
			s.violate("target", "%s: TARGETDURATION %d, PART-TARGET %v after %d and %v", a.path, p.Target, p.PartTarget, before.Target, before.PartTarget)
		}
	}
	var date time.Time
	for i := range p.Segments {
		g := &p.Segments[i]
		if math.Round(g.Duration) > float64(p.Target) {
			s.violate("EXTINF", "%s: %v under a target of %d", g.URI, g.Duration, p.Target)
		}
		if g.Header == "" {
			s.violate("playlist", "%s has no header", g.URI)
		}
		s.checkParts(g, p.PartTarget)
		date = s.checkOrder(g, date)
		s.mu.Lock()
		d, known := s.periods[g.URI]
		s.periods[g.URI] = g.Discontinuity
		s.mu.Unlock()
		if known && d != g.Discontinuity {
			s.violate("N5", "%s: %s has discontinuity sequence number %d, it had %d", a.path, g.URI, g.Discontinuity, d)
		}
		s.mu.Lock()
		n, known := s.numbers[g.URI]
		s.numbers[g.URI] = g.MSN
		s.mu.Unlock()
		if known && n != g.MSN {
			s.violate("N5", "%s: %s has the number %d, it had %d", a.path, g.URI, g.MSN, n)
		}
	}
	s.checkParts(&p.Open, p.PartTarget)
	if len(p.Open.Parts) > 0 {
		s.checkOrder(&p.Open, date)
	}
}

func (s *simulation) checkParts(g *lists.Segment, most float64) {
	for _, part := range g.Parts {
		// The time of a frame that was dropped is left to the one before.
		if most > 0 && part.Duration > most+1e-5 && time.Since(s.straySince()) > time.Minute {
			s.violate("PART-TARGET", "%s lasts %v, the target is %v", part.URI, part.Duration, most)
		}
	}
}

func (s *simulation) checkOrder(g *lists.Segment, before time.Time) time.Time {
	if g.Date.Before(before) {
		s.violate("PDT", "segment %d begins at %v, the one before at %v", g.MSN, g.Date, before)
	}
	return g.Date
}

// checkDate holds a segment's date to the true time of its first frame, or of where that
// is decoded, in front of a hole.
func (s *simulation) checkDate(g *lists.Segment, first placed, hole time.Duration) {
	if first.captured == 0 {
		return // it begins with silence, or with nothing that is known
	}
	const most = time.Second
	s.mu.Lock()
	session := s.sessions[first.unit.session]
	f := session.frames[first.unit.track][first.unit.index]
	off := time.Duration(g.Date.UnixNano() - f.captured - session.stepped)
	right := off <= most && off >= -most-hole || session.unknowable(f.at) || off > 0 && off <= most+s.inherited(session)
	s.mu.Unlock()
	if !right {
		s.violate("PDT", "%s is dated %v off the true time of %v, at %.3f of it", g.URI, off, first.unit, f.at)
	}
}

// found notes that a unit came out, and says what is wrong with that.
func (l *ledger) found(u unit, track int, data []byte, pts, period int64) (placed, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if u.session >= len(l.sessions) || u.track != track || u.index >= len(l.sessions[u.session].frames[u.track]) {
		return placed{}, "there is no such unit"
	}
	l.count.units++
	s := l.sessions[u.session]
	f := &s.frames[u.track][u.index]
	at := placed{unit: u, pts: pts, captured: f.captured}
	if f.stray || s.frozenAt(f.at) {
		at.captured = 0
	}
	switch {
	case f.sent == 0:
		return at, "it was never sent"
	case f.shown != 0:
		return at, "it came twice"
	case !bytes.Equal(data, s.appendPayload(nil, u, f.key)):
		return at, "its bytes are not those that were sent"
	}
	f.shown, f.period = pts, period
	return at, ""
}

// sentBehind is when the unit behind u was sent, if that tells anything: at the
// beginning of a session, units wait for others.
func (l *ledger) sentBehind(u unit) (time.Time, bool) {
	const settled = 3
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[u.session]
	frames := s.frames[u.track]
	if frames[u.index].stray {
		return time.Time{}, false // it waited itself
	}
	next := u.index + 1
	if next < len(frames) && frames[next].leapt {
		next++
	}
	if next >= len(frames) {
		return time.Time{}, false
	}
	f := frames[next]
	first := 0.0
	if s.video {
		first = s.firstKey()
	}
	return time.Unix(0, f.sent), f.sent != 0 && !f.stray && !f.spare && f.at > first+settled && !s.frozenAt(f.at)
}

// passer is a viewer who comes and goes, and asks for plain playlists.
type passer struct {
	sim  *simulation
	rand *rand.Rand
}

func (v *passer) pass(ctx context.Context) {
	for ctx.Err() == nil {
		if !sleep(ctx, time.Duration(v.rand.IntN(120_000))*time.Millisecond) {
			return
		}
		a := v.sim.get(ctx, "index.m3u8")
		if a.code != 200 {
			continue
		}
		for range 1 + v.rand.IntN(6) {
			for _, uri := range named(a.body) {
				v.watch(ctx, uri)
			}
			if !sleep(ctx, time.Duration(v.rand.IntN(4000))*time.Millisecond) {
				return
			}
		}
	}
}

// watch reads a playlist and some of what it lists.
func (v *passer) watch(ctx context.Context, uri string) {
	rendition := strings.TrimSuffix(uri, ".m3u8")
	floor := v.sim.floor(rendition)
	a := v.sim.get(ctx, uri)
	if a.code != 200 {
		return // the publication may be another one by now
	}
	p, err := parsePlaylist(string(a.body))
	if err != nil {
		v.sim.violate("playlist", "%s: %v", uri, err)
		return
	}
	if p.Sequence < floor[0] || p.Discontinuity < floor[1] {
		v.sim.violate("N5", "%s: sequences %d and %d after %d", uri, p.Sequence, p.Discontinuity, floor)
	}
	v.sim.checkPlaylist(rendition, p, nil, a)
	any := newViewer(v.sim, rendition, v.rand)
	for _, s := range p.Segments[max(0, len(p.Segments)-3):] {
		any.fetch(ctx, s.Header)
		if !s.Gap {
			any.fetch(ctx, s.URI)
		}
	}
	for _, part := range p.Open.Parts {
		if !part.Gap {
			any.fetch(ctx, part.URI)
		}
	}
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// dashViewer reads manifests and a segment of each now and then.
type dashViewer struct {
	sim  *simulation
	rand *rand.Rand
}

func (v *dashViewer) follow(ctx context.Context) {
	starts := make(map[string]int64) // t of segments by URL
	var published time.Time
	for sleep(ctx, time.Duration(2000+v.rand.IntN(6000))*time.Millisecond) {
		a := v.sim.get(ctx, "index.mpd")
		if a.code == 404 || a.code == 503 || ctx.Err() != nil {
			continue
		}
		m, err := lists.ParseMPD("", a.body)
		if err != nil || a.code != 200 {
			v.sim.violate("MPD", "%d, %v", a.code, err)
			continue
		}
		v.sim.mu.Lock()
		v.sim.count.manifests++
		steps := len(v.sim.steps)
		v.sim.mu.Unlock()
		if !m.AvailabilityStartTime.Equal(time.Unix(0, 0)) || len(m.Periods) == 0 || m.PublishTime.Before(published) && steps == 1 {
			v.sim.violate("MPD", "starts at %v, has %d periods, was published at %v (before: %v)", m.AvailabilityStartTime, len(m.Periods), m.PublishTime, published)
		}
		published = m.PublishTime
		v.check(ctx, m, starts)
	}
}

func (v *dashViewer) check(ctx context.Context, m *lists.Manifest, starts map[string]int64) {
	any := newViewer(v.sim, "v1", v.rand)
	tracks, err := m.Tracks()
	if err != nil {
		v.sim.violate("MPD", "%v", err)
	}
	for _, t := range tracks {
		inProduction, ahead := m.Type == "dynamic" && t.Period == m.Periods[len(m.Periods)-1].ID, false
		for k, s := range t.Segments {
			if before, known := starts[s.URI]; known && before != s.Time {
				v.sim.violate("MPD", "%s begins at %d, it was %d", s.URI, s.Time, before)
			}
			part := float64(s.Duration)/float64(t.Timescale) - t.Early
			if last := inProduction && k == len(t.Segments)-1; last && part <= 0.25 {
				ahead = true // it was foreseen, and may be still to begin
			} else {
				starts[s.URI] = s.Time
			}
		}
		if len(t.Segments) == 0 || v.rand.IntN(4) > 0 {
			continue
		}
		any.fetch(ctx, t.Header)
		n := v.rand.IntN(len(t.Segments))
		url := t.Segments[n].URI
		if !inProduction || n < len(t.Segments)-2 {
			any.fetch(ctx, url)
			continue
		}
		// What comes must be all of it.
		a := v.sim.get(ctx, url)
		if a.code == 200 && !a.broken {
			v.sim.same(url, a.body)
		} else if a.code == 404 && !(ahead && n == len(t.Segments)-1) {
			v.sim.violate("N6", "%s, which the manifest lists: %d", url, a.code)
		}
	}
}
