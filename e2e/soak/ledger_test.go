package main

import (
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

func TestSlope(t *testing.T) {
	m := &monitor{began: time.Now()}
	for i := range 60 {
		m.samples = append(m.samples, sample{at: m.began.Add(time.Duration(i) * time.Minute), rss: (100 + i%2) << 20})
	}
	if slope, n := m.slope(15 * time.Minute); slope < -0.2 || slope > 0.2 || n != 45 {
		t.Errorf("a steady server grows by %v MB/h in %d samples", slope, n)
	}
	for i := range m.samples {
		m.samples[i].rss += i << 20 / 15
	}
	if slope, _ := m.slope(0); slope < 3.8 || slope > 4.2 {
		t.Errorf("4 MB/h are %v", slope)
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
