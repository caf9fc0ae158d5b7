package admin

import (
	"fmt"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// keyframesApart is how far segments of one number begin from each other, at most, of
// those that are listed: in each picture, and the first that players may switch to it
// from. Pictures that begin alike, and sounds, are not there.
func keyframesApart(w *packager.Window) map[packager.RenditionID]time.Duration {
	apart := make(map[packager.RenditionID]time.Duration)
	for _, set := range w.Sets() {
		if set.Kind() != remux.Video || set.Aligned {
			continue
		}
		for _, r := range set.Renditions[1:] {
			if d := farthest(set.Renditions[0].Segments, r.Segments); d > 0 {
				apart[r.ID] = d
			}
		}
	}
	return apart
}

// farthest is how far segments of one number begin from each other, at most. Both
// lists are in the order of their numbers.
func farthest(a, b []*packager.Segment) (most time.Duration) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].MSN < b[0].MSN:
			a = a[1:]
		case b[0].MSN < a[0].MSN:
			b = b[1:]
		default:
			if !a[0].Gap() && !b[0].Gap() {
				most = max(most, a[0].Time().Sub(b[0].Time()).Abs())
			}
			a, b = a[1:], b[1:]
		}
	}
	return most
}

// apartness says which pictures of a set don't begin their segments alike.
func apartness(w *packager.Window) (all []string) {
	apart := keyframesApart(w)
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if d := apart[r.ID]; d > 0 {
			all = append(all, fmt.Sprintf("%s: its segments begin %s from those of the best quality: where players switch, they show a moment twice or leave one out; "+
				"set the same keyframe interval in all encoders, of the same number of seconds at every frame rate, and let one encoder send all qualities", r.ID, about(d)))
		}
	}
	return all
}

// about says how long something is so that it stays the same while little changes.
func about(d time.Duration) string {
	const most = 5
	n := (d + time.Second - 1) / time.Second
	if n > most {
		return fmt.Sprintf("more than %d s", most)
	}
	return fmt.Sprintf("up to %d s", n)
}

// crewHealth says what is wrong with those who publish: clocks that are not one, and
// who has nobody to stand by any more.
func crewHealth(crew []Contributor) (all []string) {
	for _, c := range crew {
		if c.Lock.Why != "" {
			all = append(all, c.Pushed+": "+c.Lock.Why)
		}
		if c.Alone {
			all = append(all, c.Pushed+": nobody stands by for this encoder any more: if it fails, so does what it sends; start the other one again")
		}
	}
	return all
}
