package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// A soak that can't fail shows nothing: each of these must be found.
func TestLedgerFinds(t *testing.T) {
	send := func(l *ledger, n int, end farewell) *session {
		s := l.begin(1, 0)
		for range n {
			s.note(video, time.Now())
		}
		l.ended(s, end)
		return s
	}
	see := func(l *ledger, indexes ...int) {
		for _, i := range indexes {
			l.see(unit{1, 0, video, i}, "x")
		}
	}
	for _, c := range []struct {
		name, want string
		do         func(l *ledger)
	}{
		{"all there", "", func(l *ledger) { send(l, 3, closed); see(l, 0, 1, 2) }},
		{"twice", "N1", func(l *ledger) { send(l, 3, closed); see(l, 0, 1, 1, 2) }},
		{"one missing", "N1", func(l *ledger) { send(l, 3, closed); see(l, 0, 2) }},
		{"the first missing", "N1", func(l *ledger) { send(l, 3, closed); see(l, 1, 2) }},
		{"the last missing", "N1", func(l *ledger) { send(l, 3, closed); see(l, 0, 1) }},
		{"the last missing behind a reset", "", func(l *ledger) { send(l, 3, reset); see(l, 0, 1) }},
		{"too much missing behind a reset", "N1", func(l *ledger) { send(l, 300, reset); see(l, 0, 1) }},
		{"never sent", "N1", func(l *ledger) { send(l, 1, closed); see(l, 0, 1) }},
		{"other bytes", "N5", func(l *ledger) { l.same("u", []byte("a")); l.same("u", []byte("b")) }},
		{"the same bytes", "", func(l *ledger) { l.same("u", []byte("a")); l.same("u", []byte("a")) }},
		{"numbers go back", "N5", func(l *ledger) {
			l.raise("p", l.floor("p"), [2]int64{5, 1})
			l.raise("p", l.floor("p"), [2]int64{4, 1})
		}},
		{"an answer that was overtaken", "", func(l *ledger) {
			early := l.floor("p")
			l.raise("p", l.floor("p"), [2]int64{5, 1})
			l.raise("p", early, [2]int64{4, 1})
		}},
	} {
		l := newLedger()
		c.do(l)
		l.settle()
		if c.want == "" && l.broken() || c.want != "" && l.violations[c.want] == 0 {
			t.Errorf("%s: %v %v", c.name, l.violations, l.text)
		}
	}
}

func TestUnitsHaveNames(t *testing.T) {
	c := newClip(1_000_000)
	for _, u := range []unit{{0, 0, video, 0}, {19, 700, video, 61}, {19, 700, audio, 1 << 20}} {
		body := slices.Clone(c.tag(u, 0).Body)
		if got, ok := lastUnit(body); !ok || got != u {
			t.Errorf("%v reads as %v, %v", u, got, ok)
		}
		if _, ok := lastUnit(body[:20]); ok {
			t.Error("a name in a piece")
		}
	}
}

// What goes up and down grows by nothing for sure; what grows by 4 MB an hour does, also where it
// goes up and down.
func TestGrowth(t *testing.T) {
	run := func(mb func(minute float64) float64) growth {
		m := &monitor{began: time.Now()}
		for i := range 360 {
			minute := float64(i) / 6
			m.samples = append(m.samples, sample{at: m.began.Add(time.Duration(i) * 10 * time.Second), rss: int(mb(minute) * (1 << 20))})
		}
		return m.growth(15 * time.Minute)
	}
	swing := func(minute float64) float64 { return 150 + 5*math.Sin(minute/3) }
	if g := run(swing); g.sure(1) || g.err < 0.5 {
		t.Errorf("what swings grows by %+v", g)
	}
	if g := run(func(minute float64) float64 { return 150 + minute*4/60 }); g.slope < 3.9 || g.slope > 4.1 || !g.sure(1) {
		t.Errorf("4 MB/h are %+v", g)
	}
	if g := run(func(minute float64) float64 { return swing(minute) + minute*20/60 }); !g.sure(1) {
		t.Errorf("20 MB/h, swinging, are %+v", g)
	}
}

func TestParsePlaylist(t *testing.T) {
	p, err := parsePlaylist(strings.Join([]string{
		"#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:7", "#EXT-X-DISCONTINUITY-SEQUENCE:3",
		`#EXT-X-MAP:URI="v1/a-header.mp4"`, `#EXT-X-PART:DURATION=1,URI="v1/a-p1.m4s"`, "#EXTINF:2,", "v1/a-7.m4s",
		"#EXT-X-DISCONTINUITY", `#EXT-X-MAP:URI="v1/b-header.mp4"`, `#EXT-X-PART:DURATION=1,URI="v1/b-p2.m4s"`,
		`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v1/b-p3.m4s"`, "",
	}, "\n"))
	if err != nil || p.Next() != 8 || p.Discontinuity != 3 || p.Segments[0].URI != "v1/a-7.m4s" || p.Segments[0].Header != "v1/a-header.mp4" ||
		p.Open.Header != "v1/b-header.mp4" || len(p.Open.Parts) != 1 || p.Open.Parts[0].URI != "v1/b-p2.m4s" || p.Hint != "v1/b-p3.m4s" {
		t.Errorf("%+v, %v", p, err)
	}
}
