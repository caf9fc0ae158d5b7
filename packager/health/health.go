// Package health says in sentences what is wrong with a stream, and what to set in the
// encoder: it judges what was measured, and is pure.
//
//	Window, remux.Measure ──▶ symptoms ──▶ Chart: those that stay ──▶ Advice
package health

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// Code names a sentence for programs. It stays what it is.
type Code string

// Severity is how much it matters.
type Severity string

// The severities.
const (
	Bad     Severity = "bad"     // viewers miss something
	Warning Severity = "warning" // some viewers do, or may
	Notice  Severity = "notice"  // it could be better
)

// Severities are all of them, the worst first.
var Severities = []Severity{Bad, Warning, Notice}

// Advice is a sentence on what is wrong. It stays the same while what it says does.
type Advice struct {
	Code     Code      `json:"code" example:"keyframes_far"`
	Severity Severity  `json:"severity" enum:"bad,warning,notice" doc:"bad: viewers miss something; warning: some do, or may; notice: it could be better."`
	Pushed   string    `json:"pushed,omitempty" doc:"The name that the encoder pushes, where it isn't that of the stream."`
	Track    string    `json:"track,omitempty" example:"v1"`
	Text     string    `json:"text" doc:"What is wrong, and what to do." example:"v1: keyframes come every 8.3 s: viewers wait for one to begin, and latency grows with them; set the keyframe interval to 2 s"`
	OBS      string    `json:"obs,omitempty" doc:"What to set in OBS Studio."`
	FFmpeg   string    `json:"ffmpeg,omitempty" doc:"What to add to, or to change in, a command of ffmpeg."`
	Since    time.Time `json:"since"`
}

// Patient is what is judged: a stream, or what one encoder sends of it.
type Patient struct {
	Window  *packager.Window // nil: only what was measured is judged
	Measure remux.Measure    // zero: only the Window is
	Segment time.Duration    // that segments should last, at least
	Between []string         // what is wrong between those who publish, in sentences
	Now     time.Time        // by the clock of both
	Pushed  string           // see Advice
}

// symptom is what a rule sees.
type symptom struct {
	key   string // tells it from others of the rule: the track, where it is of one
	track string
	value float64 // how much of it there is
	text  string
}

// Chart is what was wrong with one patient so far. The zero Chart is of one who is new.
type Chart struct{ all []ailment }

// ailment is a symptom over time.
type ailment struct {
	Advice
	rule  *rule
	key   string
	value float64   // that the text tells
	shown bool      // it has lasted long enough
	gone  time.Time // when it was first not seen any more; zero while it is
}

const (
	// lasts is how long a symptom that comes and goes must have been there to be told.
	lasts = 8 * time.Second
	// over is how long it must have been away to be over.
	over = 15 * time.Second
	// another is how much a value must have changed for its sentence to be another one.
	another = 0.25
)

// Look judges a patient, and returns the Chart that goes on from c.
//
// Nothing flaps: for what is there already, a rule has a lower threshold than for what
// is new; what comes and goes is told when it has lasted; and nothing is over before it
// has been away for a while. Numbers in a sentence follow only when they have changed
// much.
func (c Chart) Look(p *Patient) Chart {
	if c.Well() && p.fine() {
		return c
	}
	var next Chart
	now := p.Now
	for i := range rules {
		r := &rules[i]
		seen := r.find(p, func(key string) bool { return c.find(r, key) != nil })
		for _, s := range seen {
			next.all = append(next.all, c.goesOn(r, s, p))
		}
		for _, a := range c.all {
			if a.rule != r || slices.ContainsFunc(seen, func(s symptom) bool { return s.key == a.key }) {
				continue
			}
			if a.gone.IsZero() {
				a.gone = now
			}
			if a.shown && !r.plain && now.Sub(a.gone) < over {
				next.all = append(next.all, a)
			}
		}
	}
	return next
}

// fine tells whether there is nothing to look for, without looking closely: of most
// streams it is so, each second.
func (p *Patient) fine() bool {
	if !p.Measure.At.IsZero() || len(p.Between) > 0 {
		return false
	}
	w := p.Window
	return w == nil || len(w.LeftOut) == 0 && !slices.ContainsFunc(w.Renditions, func(r packager.Rendition) bool { return r.Away })
}

// goesOn is what a symptom is, beside what was seen before.
func (c Chart) goesOn(r *rule, s symptom, p *Patient) ailment {
	a := ailment{rule: r, key: s.key, value: s.value, Advice: Advice{
		Code: r.code, Severity: r.severity, Pushed: p.Pushed, Track: s.track, Text: s.text, OBS: r.obs, FFmpeg: r.ffmpeg, Since: p.Now.UTC(),
	}}
	if before := c.find(r, s.key); before != nil {
		a.Since, a.shown = before.Since, before.shown
		if r.plain || differs(before.value, s.value) {
			a.value, a.Text = s.value, s.text
		} else {
			a.value, a.Text = before.value, before.Text
		}
	}
	a.shown = a.shown || r.plain || p.Now.Sub(a.Since) >= lasts
	return a
}

func differs(before, now float64) bool {
	d := now - before
	return max(d, -d) > another*max(before, -before)
}

func (c Chart) find(r *rule, key string) *ailment {
	for i := range c.all {
		if a := &c.all[i]; a.rule == r && a.key == key {
			return a
		}
	}
	return nil
}

// Well tells whether there is nothing in it, not even what may become something.
func (c Chart) Well() bool { return len(c.all) == 0 }

// Advice is what is wrong now, the worst first.
func (c Chart) Advice() []Advice {
	var all []Advice
	for _, a := range c.all {
		if a.shown {
			all = append(all, a.Advice)
		}
	}
	Sort(all)
	return all
}

// Sort puts the worst first.
func Sort(all []Advice) {
	slices.SortStableFunc(all, func(a, b Advice) int {
		return cmp.Compare(slices.Index(Severities, a.Severity), slices.Index(Severities, b.Severity))
	})
}
