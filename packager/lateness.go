package packager

import "time"

const (
	// firstLateness is what the samples of a rendition are taken to be late by
	// before some came, and mostLateness is the most that is waited for.
	firstLateness = 700 * time.Millisecond
	mostLateness  = 3500 * time.Millisecond
)

// lateness is how far the samples of a rendition come behind those of the one
// that is furthest: encoders interleave as they like. It is the most of late.
type lateness struct {
	known bool
	most  time.Duration
}

// note takes how late one was.
func (l *lateness) note(late time.Duration) {
	if !l.known {
		l.known, l.most = true, firstLateness
	}
	late = min(max(late, 0), mostLateness)
	l.most = max(late, l.most-(l.most-late)/128)
}

func (l *lateness) usual() time.Duration {
	if !l.known {
		return firstLateness
	}
	return l.most
}
