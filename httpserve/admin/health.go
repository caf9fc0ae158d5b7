package admin

import (
	"fmt"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// goneAfter is how long the samples of a track may stay away before it is said.
const goneAfter = 10 * time.Second

// Health says in sentences what is wrong with a stream now, and what to do. A
// sentence stays the same while what it says does.
func Health(w *packager.Window, crew []Contributor, now time.Time) []string {
	var all []string
	if w.State != packager.Live {
		return nil
	}
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if since := time.Unix(0, r.AwaySince); r.Away && now.Sub(since) >= goneAfter {
			all = append(all, absence(r, since.UTC()))
		}
	}
	all = append(all, apartness(w)...)
	return append(all, crewHealth(crew)...)
}

func absence(r *packager.Rendition, since time.Time) string {
	at := since.Truncate(time.Second).Format(time.RFC3339)
	switch t := r.Header.Track; {
	case t.Kind() == remux.Video:
		return fmt.Sprintf("%s: the encoder has sent no picture since %s: viewers hear the sound alone, or wait; look at the encoder's camera or scene", r.ID, at)
	case len(t.Silence) > 0:
		return fmt.Sprintf("%s: the encoder has sent no sound since %s: viewers hear silence; look at the encoder's microphone or mixer", r.ID, at)
	default:
		return fmt.Sprintf("%s: the encoder has sent no sound since %s, and sluice can't write silence in %s: players may wait; look at the encoder's microphone or mixer", r.ID, at, t.Codecs)
	}
}
