package admin

import "github.com/sluice-live/sluice/packager"

// Health says in sentences what is wrong between those who publish a stream now, and
// what to do. A sentence stays the same while what it says does.
func Health(w *packager.Window, crew []Contributor) []string {
	if w.State != packager.Live {
		return nil
	}
	return append(apartness(w), crewHealth(crew)...)
}
