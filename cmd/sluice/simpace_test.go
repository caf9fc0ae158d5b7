package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// pacer is a viewer that looks at all renditions at one instant, again and again,
// and holds them to keep pace with each other (N10):
//
//	v1  │ segment 41 │ segment 42 │ part │ part │ part │
//	a1  │ segment 41 │ segment 42 │ part │
//	                 numbers of one time      └── lag ──┘
type pacer struct {
	sim  *simulation
	rand *rand.Rand
	last map[string]*lists.Playlist
	seen time.Time // when
}

func newPacer(s *simulation, r *rand.Rand) *pacer {
	return &pacer{sim: s, rand: r, last: make(map[string]*lists.Playlist)}
}

func (v *pacer) watch(ctx context.Context) {
	for sleep(ctx, time.Duration(100+v.rand.IntN(800))*time.Millisecond) {
		lists := v.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if v.sim.looked(v.seen) {
			clear(v.last)
		}
		v.checkThere(lists)
		v.last, v.seen = lists, time.Now()
		for _, name := range []string{"a1", "a2"} {
			if a, b := lists["v1"], lists[name]; a != nil && b != nil && !a.Ended && !b.Ended {
				v.checkLag(name, a, b)
				v.checkNumbers(name, a, b)
			}
		}
	}
}

// What is seen at the instant at which a publication ends may be of it: the next look is at another one.
func TestLookAsAPublicationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(nil)
		seen := time.Now()
		l.over()
		if !l.looked(seen) {
			t.Error("the publication that ended at the last look goes on")
		}
		time.Sleep(time.Second)
		if l.looked(time.Now()) {
			t.Error("the publication that began before the last look is another one")
		}
	})
}

// look reads the playlists of one instant.
func (v *pacer) look(ctx context.Context) map[string]*lists.Playlist {
	names := []string{"v1", "a1", "a2", "v1"}
	for {
		lists := make(map[string]*lists.Playlist)
		var bodies [][]byte
		for _, name := range names {
			a := v.sim.get(ctx, name+".m3u8")
			bodies = append(bodies, a.body)
			if a.code != 200 {
				continue
			}
			p, err := parsePlaylist(string(a.body))
			if err != nil {
				v.sim.violate("playlist", "%s: %v", name, err)
				continue
			}
			lists[name] = p
		}
		if bytes.Equal(bodies[0], bodies[3]) || ctx.Err() != nil {
			return lists
		}
	}
}

// checkThere holds a rendition that can be played to stay as long as the stream
// lives, whatever the encoder comes back with.
func (v *pacer) checkThere(now map[string]*lists.Playlist) {
	for name, before := range v.last {
		if now[name] != nil || before.Ended {
			continue
		}
		for other, p := range now {
			if !p.Ended && v.last[other] != nil && media(before) {
				v.sim.violate("N10", "%s.m3u8 is gone, while %s.m3u8 goes on", name, other)
			}
		}
	}
}

// media tells whether there is anything to play in what is listed.
func media(p *lists.Playlist) bool {
	for i := range p.Segments {
		if !p.Segments[i].Gap {
			return true
		}
	}
	return false
}

// edge is where what is listed ends, of which discontinuity that is, and where
// that one begins.
func edge(p *lists.Playlist) (end time.Time, discontinuity int64, begin time.Time) {
	all := p.Segments
	if len(p.Open.Parts) > 0 {
		open := p.Open
		for _, part := range open.Parts {
			open.Duration += part.Duration
		}
		all = append(all[:len(all):len(all)], open)
	}
	if len(all) == 0 {
		return end, 0, begin
	}
	last := all[len(all)-1]
	for _, s := range all {
		if s.Discontinuity == last.Discontinuity {
			begin = s.Date
			break
		}
	}
	return last.Date.Add(seconds(last.Duration)), last.Discontinuity, begin
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// checkLag holds the newest part of each rendition to be no further behind the one
// that leads than three parts and what samples may be late by.
func (v *pacer) checkLag(name string, a, b *lists.Playlist) {
	aEnd, aPeriod, aBegin := edge(a)
	bEnd, bPeriod, bBegin := edge(b)
	switch { // who has yet to come to the other's period is behind by what there is of that
	case aPeriod > bPeriod && bEnd.Before(aBegin):
		bEnd = aBegin
	case bPeriod > aPeriod && aEnd.Before(bBegin):
		aEnd = bBegin
	}
	part := max(grain(a), grain(b))
	late := 2 * time.Second
	v.sim.mu.Lock()
	if time.Now().Before(v.sim.lateness) {
		late = 4200 * time.Millisecond
	}
	v.sim.mu.Unlock()
	if lag := aEnd.Sub(bEnd); lag.Abs() > seconds(3*part)+late {
		v.sim.violate("N10", "%s is %v behind v1: parts are of %v s, v1 is at %v, period %d, the other in %d\n\tv1 %s\n\tand %s", name, lag, part, aEnd.Format("15:04:05.000"), aPeriod, bPeriod, draw(a), draw(b))
	}
}

// grain is how much a playlist grows by, s: a part, or a whole segment where the pictures of
// the newest one are in no part, as even one frame lasts longer than the target.
func grain(p *lists.Playlist) float64 {
	if len(p.Open.Parts) > 0 {
		return p.PartTarget
	}
	for _, s := range slices.Backward(p.Segments) {
		if !s.Gap && len(s.Parts) == 0 {
			return float64(p.Target)
		}
		if !s.Gap {
			break
		}
	}
	return p.PartTarget
}

// draw is the end of a playlist in few words: number, period, time and length of
// each segment, G where it is a gap; and what there is of the next one.
func draw(p *lists.Playlist) string {
	var b strings.Builder
	for _, s := range p.Segments[max(0, len(p.Segments)-6):] {
		gap := ""
		if s.Gap {
			gap = "G"
		}
		fmt.Fprintf(&b, "%d(%d) %s+%.3f%s │ ", s.MSN, s.Discontinuity, s.Date.Format("05.000"), s.Duration, gap)
	}
	fmt.Fprintf(&b, "%d(%d) %s", p.Open.MSN, p.Open.Discontinuity, p.Open.Date.Format("05.000"))
	for _, part := range p.Open.Parts {
		fmt.Fprintf(&b, "+%.3f", part.Duration)
		if part.Gap {
			b.WriteByte('G')
		}
	}
	return b.String()
}

// checkNumbers holds segments of one number to be of one time.
func (v *pacer) checkNumbers(name string, a, b *lists.Playlist) {
	const most = 1100 * time.Millisecond // what a picture is waited for before it is away, and a unit
	i := 0
	for j := range b.Segments {
		s := &b.Segments[j]
		for i < len(a.Segments) && a.Segments[i].MSN < s.MSN {
			i++
		}
		if i == len(a.Segments) {
			return
		}
		t := &a.Segments[i]
		if t.MSN != s.MSN || i == 0 || j == 0 {
			continue
		}
		if t.Discontinuity != s.Discontinuity {
			v.sim.violate("N10", "segment %d has discontinuity sequence number %d in v1 and %d in %s\n\tv1 %s\n\tand %s", s.MSN, t.Discontinuity, s.Discontinuity, name, draw(a), draw(b))
			continue
		}
		first := a.Segments[i-1].Discontinuity != t.Discontinuity || b.Segments[j-1].Discontinuity != s.Discontinuity
		if d := s.Date.Sub(t.Date); d.Abs() > most && !first {
			v.sim.violate("N10", "segment %d begins at %v in v1, and %v later in %s\n\tv1 %s\n\tand %s", s.MSN, t.Date.Format("15:04:05.000"), d, name, draw(a), draw(b))
		}
	}
}
