package packager

import (
	"slices"
	"strings"

	"github.com/sluice-live/sluice/remux"
)

// Set is a group of renditions that a player may switch between without an ear or an
// eye noticing more than the quality.
type Set struct {
	Number     int          // the least of its renditions': it stays when others join and go
	Renditions []*Rendition // of one Window, at least one; each has a Newest header

	// Aligned tells that segments of one number begin at the same time in all of
	// them. Where it is false, they do less than a segment apart.
	Aligned bool
}

// Kind is that of all of its renditions.
func (s Set) Kind() remux.Kind { return s.Renditions[0].Newest().Track.Kind() }

// Sets returns the renditions in their groups, in the order of the first of each. Those
// that have had nothing yet are in none. Pictures of one codec family and range are the same
// in several qualities. Sounds are each by themselves: two of them are two languages.
func (w *Window) Sets() []Set {
	sets := make([]Set, 0, len(w.Renditions))
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if r.Newest() == nil {
			continue
		}
		k := slices.IndexFunc(sets, func(s Set) bool { return s.has(r) })
		if k < 0 {
			sets = append(sets, Set{Number: r.Number, Renditions: []*Rendition{r}, Aligned: true})
			continue
		}
		s := &sets[k]
		s.Aligned = s.Aligned && s.Renditions[0].off(r).Abs() <= alignment
		s.Renditions = append(s.Renditions, r)
		s.Number = min(s.Number, r.Number)
	}
	return sets
}

// has tells whether a rendition belongs to the set.
func (s Set) has(r *Rendition) bool {
	a, b := s.Renditions[0], r
	return s.Kind() == remux.Video && b.Newest().Track.Kind() == remux.Video && a.Family() == b.Family() &&
		a.Newest().Track.Picture.Range() == b.Newest().Track.Picture.Range()
}

// Family is what the codec of a rendition is called, without its profile: avc1. It
// must have a Newest header.
func (r *Rendition) Family() string {
	const mp3 = "mp4a.40.34" // what plays AAC may not play it
	family, _, _ := strings.Cut(r.Newest().Track.Codecs, ".")
	if c := r.Newest().Track.Codecs; c == mp3 {
		return c
	}
	return family
}
