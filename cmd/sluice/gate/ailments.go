package gate

import (
	"slices"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/packager"
)

// ailments is what was wrong with streams when somebody looked last: each is
// logged once when it comes, and once when it is over.
type ailments map[packager.StreamName][]string

// see takes what is wrong with a stream now.
func (a ailments) see(name packager.StreamName, now []string, log zerolog.Logger) {
	before := a[name]
	for _, what := range now {
		if !slices.Contains(before, what) {
			log.Warn().Stringer("stream", name).Str("what", what).Msg("unwell")
		}
	}
	for _, what := range before {
		if !slices.Contains(now, what) {
			log.Info().Stringer("stream", name).Str("what", what).Msg("well again")
		}
	}
	if len(now) == 0 {
		delete(a, name)
	} else {
		a[name] = now
	}
}
