package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// promptness is how long after a part is complete a viewer may wait for it.
const promptness = 100 * time.Millisecond

// viewer follows one rendition from the first segment to the last, and holds
// all that it gets against what was sent.
type viewer struct {
	sim       *simulation
	rendition string
	track     int
	rand      *rand.Rand

	last    *lists.Playlist // nil at the beginning of a publication
	text    []byte
	headers map[string]int64 // timescales by URL
	have    map[string]bool  // segments by URL
	line    struct {         // where the media goes on
		msn, discontinuity int64
		dts                int64
		gap                bool // nothing is there right before
	}
	recent []placed // the newest units
	tail   placed   // the last of the newest segment
}

// placed is a unit and where it came out.
type placed struct {
	unit          unit
	captured, pts int64
	silence       bool // it is no unit of the encoder: it fills the place of what stayed away
}

func newViewer(s *simulation, rendition string, r *rand.Rand) *viewer {
	track := map[string]int{"v1": video, "a1": audio, "a2": twin}[rendition]
	return &viewer{sim: s, rendition: rendition, track: track, rand: r, headers: make(map[string]int64), have: make(map[string]bool)}
}

// request is what the viewer asks for next.
type request struct {
	query string
	msn   int64 // 0: any playlist will do
	part  int   // −1: the whole segment
}

func (v *viewer) next() request {
	p := v.last
	if p == nil || p.Ended || v.rand.IntN(10) == 0 {
		return request{}
	}
	q := request{msn: p.Open.MSN, part: -1}
	q.query = fmt.Sprintf("?_HLS_msn=%d", q.msn)
	if v.rand.IntN(6) == 0 {
		q.part = len(p.Open.Parts)
		q.query += fmt.Sprintf("&_HLS_part=%d", q.part)
	}
	if v.rand.IntN(8) == 0 {
		q.query += "&_HLS_skip=YES"
	}
	return q
}

// follow is the viewer's life. It never rests while the stream lives: what a
// viewer can miss by resting is not what this one is about.
func (v *viewer) follow(ctx context.Context) {
	rest := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	plain := 0
	for ctx.Err() == nil {
		q := v.next()
		if q.msn == 0 {
			if plain++; plain > 1 && v.last != nil && !v.last.Ended {
				plain = 0
				continue // at one instant, one is enough
			}
		} else {
			plain = 0
		}
		a := v.sim.get(ctx, v.rendition+".m3u8"+q.query)
		switch {
		case ctx.Err() != nil:
			return
		case a.code == 404:
			v.last, v.text = nil, nil
			rest(200 * time.Millisecond)
		case a.code == 503:
			v.refused(ctx, q, a)
		case a.code != 200:
			v.sim.violate("N6", "%s: %d %s", a.path, a.code, a.body)
			v.last = nil
			rest(time.Second)
		case q.msn == 0 && v.last != nil && !v.last.Ended && a.held() > 0:
			v.sim.violate("N6", "%s: held for %v, though it had been there", a.path, a.held())
			v.text = a.body
			v.look(ctx, q, a)
		case v.last != nil && v.last.Ended && bytes.Equal(a.body, v.text):
			rest(100 * time.Millisecond)
		default:
			v.text = a.body
			v.look(ctx, q, a)
		}
	}
}

// refused judges an answer of "not yet".
func (v *viewer) refused(ctx context.Context, q request, a *answer) {
	if most := v.sim.app.cfg.HTTP.HoldTimeout + promptness; a.held() > most {
		v.sim.violate("N6", "%s: 503 after %v", a.path, a.held())
	}
	if q.msn == 0 {
		return
	}
	now := v.sim.get(ctx, v.rendition+".m3u8")
	if now.held() > 0 {
		v.sim.violate("N6", "%s: held for %v, though it had been there", now.path, now.held())
		return
	}
	if p, err := parsePlaylist(string(now.body)); now.code == 200 && err == nil {
		if p.Open.MSN > q.msn && (q.part < 0 || len(p.Open.Parts) > 0) || p.Open.MSN == q.msn && q.part >= 0 && len(p.Open.Parts) > q.part {
			v.sim.violate("N6", "%s: 503 after %v, though it is there: segment %d has %d parts", a.path, a.held(), p.Open.MSN, len(p.Open.Parts))
		}
	}
}

// look checks a playlist, and downloads what is new in it.
func (v *viewer) look(ctx context.Context, q request, a *answer) {
	p, err := parsePlaylist(string(a.body))
	if err != nil {
		v.sim.violate("playlist", "%s: %v", a.path, err)
		v.last = nil
		return
	}
	v.inherit(p)
	before := v.last
	if before != nil && before.Ended {
		before = nil // another publication
	}
	v.sim.checkPlaylist(v.rendition, p, before, a)
	v.last = p
	goesOn := before != nil && media(before) // one with gaps alone may go, and come back
	for i := range p.Segments {
		if s := &p.Segments[i]; !v.have[s.URI] {
			v.have[s.URI] = true
			v.download(ctx, s, goesOn)
			if q.msn == s.MSN && q.part < 0 && v.track == video {
				v.checkPrompt(a, v.tail)
			}
		} else if !s.Gap && v.rand.IntN(40) == 0 {
			v.fetch(ctx, s.URI)
		}
	}
	if n := len(p.Open.Parts); n > 0 && !p.Open.Parts[n-1].Gap && v.rand.IntN(4) == 0 {
		uri := p.Open.Parts[n-1].URI
		body := v.fetch(ctx, uri)
		if q.part >= 0 && q.msn == p.Open.MSN && q.part == n-1 && body != nil {
			v.checkPart(a, uri, body)
		}
	}
	if p.Hint != "" && v.rand.IntN(20) == 0 {
		h := v.sim.get(ctx, p.Hint)
		if h.code == 200 {
			v.sim.same(p.Hint, h.body)
		} else if h.code != 503 && h.code != 404 {
			v.sim.violate("N6", "the hint %s: %d", p.Hint, h.code)
		}
	}
	if before != nil && len(before.Segments) > 0 && !before.Segments[0].Gap && v.rand.IntN(20) == 0 {
		v.fetch(ctx, before.Segments[0].URI) // it may have left the window just now
	}
}

// inherit fills in what a delta update leaves out.
func (v *viewer) inherit(p *lists.Playlist) {
	if p.Skipped == 0 || v.last == nil {
		return
	}
	known := make(map[string]lists.Segment)
	for _, s := range v.last.Segments {
		known[s.URI] = s
	}
	header, shift := "", int64(0)
	for i := range p.Segments {
		s := &p.Segments[i]
		if old, ok := known[s.URI]; ok {
			header, shift = old.Header, old.Discontinuity-s.Discontinuity
		}
		if s.Header == "" {
			s.Header = header
		}
		s.Discontinuity += shift
	}
	p.Open.Discontinuity += shift
	if p.Open.Header == "" {
		p.Open.Header = header
	}
}

// fetch gets what a playlist announces.
func (v *viewer) fetch(ctx context.Context, uri string) []byte {
	a := v.sim.get(ctx, uri)
	if ctx.Err() != nil {
		return nil
	}
	if a.code != 200 || a.broken || a.held() > 0 {
		v.sim.violate("N6", "%s, which is listed: %d after %v, broken off: %v", uri, a.code, a.held(), a.broken)
		return nil
	}
	v.sim.same(uri, a.body)
	return a.body
}

func (v *viewer) timescale(ctx context.Context, header string) int64 {
	if ts, ok := v.headers[header]; ok {
		return ts
	}
	ts, err := readTimescale(v.fetch(ctx, header))
	if err != nil {
		v.sim.violate("N4", "%s: %v", header, err)
		ts = 1
	}
	v.headers[header] = ts
	return ts
}

// download gets a segment and takes it apart. It must go on where the one
// before ended, if that was of the same publication.
func (v *viewer) download(ctx context.Context, s *lists.Segment, goesOn bool) {
	if goesOn && s.MSN != v.line.msn+1 {
		v.sim.violate("N1", "segments %d to %d were never listed", v.line.msn+1, s.MSN-1)
	}
	if s.Gap {
		if a := v.sim.get(ctx, s.URI); ctx.Err() == nil && (a.code != 404 || a.held() > 0) {
			v.sim.violate("N10", "%s is a gap: %d after %v", s.URI, a.code, a.held())
		}
		if v.line.discontinuity != s.Discontinuity {
			v.line.dts = 0 // of another timescale, maybe
		}
		v.line.msn, v.line.discontinuity, v.line.gap = s.MSN, s.Discontinuity, true
		return
	}
	body := v.fetch(ctx, s.URI)
	if body == nil {
		return
	}
	if len(s.Parts) > 0 && v.rand.IntN(6) == 0 {
		var parts []byte
		for _, part := range s.Parts {
			if !part.Gap {
				parts = append(parts, v.fetch(ctx, part.URI)...)
			}
		}
		if !bytes.Equal(parts, body) {
			v.sim.violate("N1", "%s has %d bytes, its parts %d, or other ones", s.URI, len(body), len(parts))
		}
	}
	timescale := v.timescale(ctx, s.Header)
	samples, err := readSamples(body)
	if err != nil || len(samples) == 0 {
		v.sim.violate("N4", "%s: %d samples, %v", s.URI, len(samples), err)
		return
	}
	continues := v.line.discontinuity == s.Discontinuity && v.line.msn+1 == s.MSN
	gaps, unknown := s.Gaps(), len(s.Parts) == 0 && v.sim.hasHoles(v.track)
	next, total, earliest := v.line.dts, int64(0), placed{pts: math.MaxInt64}
	for i, f := range samples {
		hole := f.dts > next && (i == 0 && v.line.gap || f.first && (gaps > 0 || unknown))
		if (continues || i > 0) && f.dts != next && !hole {
			v.sim.violate("N4", "%s: sample %d is decoded at %d, %d ticks of 1/%d behind the end of the one before", s.URI, i, f.dts, f.dts-next, timescale)
		}
		if f.duration <= 0 {
			v.sim.violate("N4", "%s: sample %d lasts %d ticks", s.URI, i, f.duration)
		}
		next = f.dts + f.duration
		total += f.duration
		if at := v.place(s, f, timescale); at.pts < earliest.pts && (at.captured != 0 || at.silence) {
			earliest = at
		}
	}
	v.line.msn, v.line.discontinuity, v.line.dts = s.MSN, s.Discontinuity, next
	v.line.gap = len(s.Parts) > 0 && s.Parts[len(s.Parts)-1].Gap
	// Where a frame was lost before it, the first one is shown later than decoded.
	late := max(0, float64(samples[0].offset)/float64(timescale))
	rounding := 1e-5 * float64(1+len(s.Parts))
	if d := float64(total)/float64(timescale) + gaps; d-s.Duration > rounding+late || s.Duration-d > rounding && !unknown {
		v.sim.violate("EXTINF", "%s says %.5f and lasts %.5f, %.5f of it gaps", s.URI, s.Duration, d, gaps)
	}
	if !unknown && !(len(s.Parts) > 0 && s.Parts[0].Gap) {
		hole := time.Duration(0) // in front of the first picture, where one that depends on others begins a segment
		if samples[0].offset > 4*samples[0].duration {
			hole = seconds(late)
		}
		v.sim.checkDate(s, earliest, hole)
	}
}

// place finds out which unit a sample is, and whether it belongs there.
func (v *viewer) place(s *lists.Segment, f sampleFound, timescale int64) placed {
	u, ok := parseUnit(f.data)
	ticks := f.dts + f.offset
	pts := ticks/timescale*1e9 + ticks%timescale*1e9/timescale
	if !ok && v.track != video && v.sim.silent(s.Header, f.data) {
		return placed{pts: pts, silence: true}
	}
	at, what := placed{unit: u, pts: pts}, "no unit"
	if ok {
		at, what = v.sim.found(u, v.track, f.data, pts, s.Discontinuity)
	}
	if what != "" {
		v.sim.violate("N1", "%s: %v: %s", s.URI, u, what)
		return placed{}
	}
	v.tail = at
	if at.captured == 0 {
		return at
	}
	for _, r := range v.recent {
		if r.unit.session == u.session && v.line.discontinuity == s.Discontinuity && (r.captured < at.captured) != (r.pts < at.pts) {
			v.sim.violate("N4", "%s: %v is shown %v behind %v, and was taken %v behind it", s.URI, u,
				time.Duration(at.pts-r.pts), r.unit, time.Duration(at.captured-r.captured))
		}
	}
	v.recent = append(v.recent[max(0, len(v.recent)-4):], at)
	return at
}

// checkPart is checkPrompt for a part.
func (v *viewer) checkPart(a *answer, uri string, body []byte) {
	samples, err := readSamples(body)
	if err != nil || len(samples) == 0 {
		v.sim.violate("N4", "%s: %d samples, %v", uri, len(samples), err)
		return
	}
	if u, ok := parseUnit(samples[len(samples)-1].data); ok {
		v.checkPrompt(a, placed{unit: u})
	}
}

// checkPrompt holds an answer to have come as soon as what it brought was
// complete: the unit behind it makes it so, if nothing else does.
func (v *viewer) checkPrompt(a *answer, last placed) {
	complete, ok := v.sim.sentBehind(last.unit)
	if from := slices.MaxFunc([]time.Time{a.asked, complete}, time.Time.Compare); ok && a.at.Sub(from) > promptness {
		v.sim.violate("N6", "%s came %v after the unit behind %v", a.path, a.at.Sub(from), last.unit)
	}
}

// named returns the renditions that a multivariant playlist names.
func named(text []byte) (uris []string) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#EXT-X-MEDIA:") {
			uris = append(uris, lists.Attribute(line, "URI"))
		} else if line != "" && line[0] != '#' {
			uris = append(uris, line)
		}
	}
	return uris
}
