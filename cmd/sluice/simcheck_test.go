package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// floor is the numbers below which no later answer may fall.
func (l *ledger) floor(rendition string) [2]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.floors[rendition]
}

// checkPlaylist holds a playlist to what all viewers have seen before, and to
// what the same viewer saw of the same publication, if anything.
func (s *simulation) checkPlaylist(rendition string, p, before *listedPlaylist, a *answer) {
	s.mu.Lock()
	s.count.playlists++
	floor := s.floors[rendition]
	s.mu.Unlock()
	if a.held() == 0 && (p.sequence < floor[0] || p.discontinuity < floor[1]) {
		s.violate("N5", "%s: sequences %d and %d after %d", a.path, p.sequence, p.discontinuity, floor)
	}
	s.mu.Lock()
	s.floors[rendition] = [2]int64{max(floor[0], p.sequence), max(floor[1], p.discontinuity)}
	s.mu.Unlock()
	if before != nil {
		if p.sequence < before.sequence || p.discontinuity < before.discontinuity {
			s.violate("N5", "%s: sequences %d and %d after %d and %d", a.path, p.sequence, p.discontinuity, before.sequence, before.discontinuity)
		}
		if p.target != before.target || !p.ended && p.partTarget != before.partTarget {
			s.violate("target", "%s: TARGETDURATION %d, PART-TARGET %v after %d and %v", a.path, p.target, p.partTarget, before.target, before.partTarget)
		}
	}
	var date time.Time
	for i := range p.segments {
		g := &p.segments[i]
		if math.Round(g.duration) > float64(p.target) {
			s.violate("EXTINF", "%s: %v under a target of %d", g.uri, g.duration, p.target)
		}
		if g.header == "" {
			s.violate("playlist", "%s has no header", g.uri)
		}
		s.checkParts(g, p.partTarget)
		date = s.checkOrder(g, date)
		s.mu.Lock()
		d, known := s.periods[g.uri]
		s.periods[g.uri] = g.discontinuity
		s.mu.Unlock()
		if known && d != g.discontinuity {
			s.violate("N5", "%s: %s has discontinuity sequence number %d, it had %d", a.path, g.uri, g.discontinuity, d)
		}
		s.mu.Lock()
		n, known := s.numbers[g.uri]
		s.numbers[g.uri] = g.msn
		s.mu.Unlock()
		if known && n != g.msn {
			s.violate("N5", "%s: %s has the number %d, it had %d", a.path, g.uri, g.msn, n)
		}
	}
	s.checkParts(&p.open, p.partTarget)
	if len(p.open.parts) > 0 {
		s.checkOrder(&p.open, date)
	}
}

func (s *simulation) checkParts(g *listedSegment, most float64) {
	for _, part := range g.parts {
		// The time of a frame that was dropped is left to the one before.
		if most > 0 && part.duration > most+1e-5 && time.Since(s.straySince()) > time.Minute {
			s.violate("PART-TARGET", "%s lasts %v, the target is %v", part.uri, part.duration, most)
		}
	}
}

func (s *simulation) checkOrder(g *listedSegment, before time.Time) time.Time {
	if g.date.Before(before) {
		s.violate("PDT", "segment %d begins at %v, the one before at %v", g.msn, g.date, before)
	}
	return g.date
}

// checkDate holds a segment's date to the true time of its first frame.
func (s *simulation) checkDate(g *listedSegment, first placed) {
	if first.captured == 0 {
		return // it begins with silence, or with nothing that is known
	}
	const most = time.Second
	s.mu.Lock()
	session := s.sessions[first.unit.session]
	f := session.frames[first.unit.track][first.unit.index]
	off := time.Duration(g.date.UnixNano() - f.captured - session.stepped)
	right := off.Abs() <= most || session.unknowable(f.at) || off > 0 && off <= most+s.inherited(session)
	s.mu.Unlock()
	if !right {
		s.violate("PDT", "%s is dated %v off the true time of %v, at %.3f of it", g.uri, off, first.unit, f.at)
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
	if p.sequence < floor[0] || p.discontinuity < floor[1] {
		v.sim.violate("N5", "%s: sequences %d and %d after %d", uri, p.sequence, p.discontinuity, floor)
	}
	v.sim.checkPlaylist(rendition, p, nil, a)
	any := newViewer(v.sim, rendition, v.rand)
	for _, s := range p.segments[max(0, len(p.segments)-3):] {
		any.fetch(ctx, s.header)
		if !s.gap {
			any.fetch(ctx, s.uri)
		}
	}
	for _, part := range p.open.parts {
		if !part.gap {
			any.fetch(ctx, part.uri)
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

type mpdSeen struct {
	Type                  string    `xml:"type,attr"`
	AvailabilityStartTime string    `xml:"availabilityStartTime,attr"`
	PublishTime           time.Time `xml:"publishTime,attr"`
	Periods               []struct {
		ID             string `xml:"id,attr"`
		Start          string `xml:"start,attr"`
		AdaptationSets []struct {
			Template struct {
				Media     string  `xml:"media,attr"`
				Init      string  `xml:"initialization,attr"`
				Timescale int64   `xml:"timescale,attr"`
				Offset    float64 `xml:"availabilityTimeOffset,attr"`
				Timeline  []struct {
					T *int64 `xml:"t,attr"`
					D int64  `xml:"d,attr"`
					R int    `xml:"r,attr"`
				} `xml:"SegmentTimeline>S"`
			} `xml:"SegmentTemplate"`
			Representation struct {
				ID string `xml:"id,attr"`
			} `xml:"Representation"`
		} `xml:"AdaptationSet"`
	} `xml:"Period"`
}

func (v *dashViewer) follow(ctx context.Context) {
	starts := make(map[string]int64) // t of segments by URL
	var published time.Time
	for sleep(ctx, time.Duration(2000+v.rand.IntN(6000))*time.Millisecond) {
		a := v.sim.get(ctx, "index.mpd")
		if a.code == 404 || a.code == 503 || ctx.Err() != nil {
			continue
		}
		var m mpdSeen
		if err := xml.Unmarshal(a.body, &m); err != nil || a.code != 200 {
			v.sim.violate("MPD", "%d, %v", a.code, err)
			continue
		}
		v.sim.mu.Lock()
		v.sim.count.manifests++
		steps := len(v.sim.steps)
		v.sim.mu.Unlock()
		if m.AvailabilityStartTime != "1970-01-01T00:00:00Z" || len(m.Periods) == 0 || m.PublishTime.Before(published) && steps == 1 {
			v.sim.violate("MPD", "starts at %s, has %d periods, was published at %v (before: %v)", m.AvailabilityStartTime, len(m.Periods), m.PublishTime, published)
		}
		published = m.PublishTime
		v.check(ctx, m, starts)
	}
}

func (v *dashViewer) check(ctx context.Context, m mpdSeen, starts map[string]int64) {
	any := newViewer(v.sim, "v1", v.rand)
	for i, p := range m.Periods {
		for _, set := range p.AdaptationSets {
			t := set.Template
			file := func(s string) string { return strings.ReplaceAll(s, "$RepresentationID$", set.Representation.ID) }
			at := int64(0)
			var urls []string
			inProduction, ahead := m.Type == "dynamic" && i == len(m.Periods)-1, false
			for k, s := range t.Timeline {
				if s.T != nil {
					if *s.T < at {
						v.sim.violate("MPD", "%s: S@t %d is before the end of the one before, %d", file(t.Media), *s.T, at)
					}
					at = *s.T
				}
				for r := range s.R + 1 {
					url := strings.ReplaceAll(file(t.Media), "$Time$", strconv.FormatInt(at, 10))
					if before, known := starts[url]; known && before != at {
						v.sim.violate("MPD", "%s begins at %d, it was %d", url, at, before)
					}
					urls = append(urls, url)
					chunk := float64(s.D)/float64(t.Timescale) - t.Offset
					if last := inProduction && k == len(t.Timeline)-1 && r == s.R; last && chunk <= 0.25 {
						ahead = true // it was foreseen, and may be still to begin
					} else {
						starts[url] = at
					}
					at += s.D
				}
			}
			if len(urls) == 0 || v.rand.IntN(4) > 0 {
				continue
			}
			any.fetch(ctx, file(t.Init))
			n := v.rand.IntN(len(urls))
			if !inProduction || n < len(urls)-2 {
				any.fetch(ctx, urls[n])
				continue
			}
			// What comes must be all of it.
			a := v.sim.get(ctx, urls[n])
			if a.code == 200 && !a.broken {
				v.sim.same(urls[n], a.body)
			} else if a.code == 404 && !(ahead && n == len(urls)-1) {
				v.sim.violate("N6", "%s, which the manifest lists: %d", urls[n], a.code)
			}
		}
	}
}
