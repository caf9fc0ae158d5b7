package gate

import (
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
	"github.com/sluice-live/sluice/remux"
)

// ailments is what was wrong with streams when somebody looked last: each is told
// once when it comes, and once when it is over. Patrol writes it.
type ailments struct {
	charts map[packager.StreamName]charts

	mu  sync.Mutex
	now map[packager.StreamName][]health.Advice
}

// charts are those of a stream, by the number of who publishes; that of the stream
// itself is at 0.
type charts map[int64]chart

// chart is one of them, and what it was made of.
type chart struct {
	health.Chart
	seen remux.Measure
}

// examine looks at a stream and at those who publish it.
func (g *Gate) examine(w *packager.Window, by []*publisher) []health.Advice {
	before, now := g.ailments.charts[w.Stream], g.Now()
	after := make(charts, 1+len(by))
	p := health.Patient{Window: w, Now: now}
	if g.Between != nil {
		p.Between = g.Between(w)
	}
	after[0] = chart{Chart: before[0].Look(&p)}
	advice := after[0].Advice()
	for _, s := range by {
		last := before[s.number]
		if m, ok := s.measured(last.seen.At); ok {
			last.seen = m
		} else if last.Well() {
			after[s.number] = last
			continue
		}
		p := health.Patient{Measure: last.seen, Segment: g.Segment, Now: now}
		if s.name != s.stream {
			p.Pushed = s.name.String()
		}
		last.Chart = last.Look(&p)
		after[s.number] = last
		advice = append(advice, last.Advice()...)
	}
	health.Sort(advice)
	if g.ailments.charts == nil {
		g.ailments.charts = make(map[packager.StreamName]charts)
	}
	g.ailments.charts[w.Stream] = after
	return advice
}

// measured is what has come of a publisher since it was asked before; ok is false where
// that is nothing.
func (s *publisher) measured(since time.Time) (now remux.Measure, ok bool) {
	if m, ok := s.Sink.(interface {
		Measured(since time.Time) (remux.Measure, bool)
	}); ok {
		return m.Measured(since)
	}
	return remux.Measure{}, false
}

// Health is what was wrong with a stream when somebody looked last, the worst first.
func (g *Gate) Health(name packager.StreamName) []health.Advice {
	g.ailments.mu.Lock()
	defer g.ailments.mu.Unlock()
	return append([]health.Advice{}, g.ailments.now[name]...) // what is in there never changes
}

// see takes what is wrong with a stream now.
func (a *ailments) see(name packager.StreamName, now []health.Advice, log zerolog.Logger, tell func(admin.Event)) {
	a.mu.Lock()
	before := a.now[name]
	if len(now) == 0 {
		delete(a.now, name)
	} else {
		if a.now == nil {
			a.now = make(map[packager.StreamName][]health.Advice)
		}
		a.now[name] = now
	}
	a.mu.Unlock()
	say := func(what health.Advice, e *zerolog.Event, over bool, message string) {
		if what.Pushed != "" {
			e = e.Str("pushed", what.Pushed)
		}
		e.Stringer("stream", name).Str("code", string(what.Code)).Str("what", what.Text).Msg(message)
		tell(admin.Event{Kind: admin.HealthIs, Stream: name.String(), Code: string(what.Code), Text: what.Text, Over: over, Advice: &what, Pushed: what.Pushed})
	}
	came, went := changes(before, now)
	for _, what := range came {
		say(what, log.Warn(), false, "unwell")
	}
	for _, what := range went {
		say(what, log.Info(), true, "well again")
	}
}

// changes are what has come, and what is over. Where a sentence has another number now, it
// is the same: it has not come again, and what it said before is not over.
func changes(before, now []health.Advice) (came, went []health.Advice) {
	went = slices.Clone(before)
	stays := func(what health.Advice, asItWas bool) bool {
		i := slices.IndexFunc(went, func(o health.Advice) bool {
			return o.Code == what.Code && o.Pushed == what.Pushed && o.Track == what.Track && o.Since.Equal(what.Since) && (o.Text == what.Text || !asItWas)
		})
		if i >= 0 {
			went = slices.Delete(went, i, i+1)
		}
		return i >= 0
	}
	var others []health.Advice // several of one code may have come at once: words first
	for _, what := range now {
		if !stays(what, true) {
			others = append(others, what)
		}
	}
	for _, what := range others {
		if !stays(what, false) {
			came = append(came, what)
		}
	}
	return came, went
}

// forget forgets streams that are no more.
func (a *ailments) forget(there func(packager.StreamName) bool) {
	for name := range a.charts {
		if !there(name) {
			delete(a.charts, name)
			a.mu.Lock()
			delete(a.now, name)
			a.mu.Unlock()
		}
	}
}

// Unwell counts the sentences by how much they matter.
func (g *Gate) Unwell() map[string]int {
	counts := make(map[string]int)
	for _, s := range health.Severities {
		counts[string(s)] = 0
	}
	g.ailments.mu.Lock()
	defer g.ailments.mu.Unlock()
	for _, all := range g.ailments.now {
		for _, a := range all {
			counts[string(a.Severity)]++
		}
	}
	return counts
}
