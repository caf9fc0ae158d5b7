package admin

import "github.com/sluice-live/sluice/packager"

// Health says in sentences what is wrong between those who publish a stream now, and
// what to do. A sentence stays the same while what it says does.
func Health(w *packager.Window, crew []Contributor) []string {
	if w.State != packager.Live {
		return nil
	}
	return append(w.Sentences(), crewHealth(crew)...)
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
