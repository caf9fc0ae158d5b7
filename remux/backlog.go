package remux

import "time"

// backlog tells one silence from another where the timestamps jumped in it: the
// encoder was away, and all that follows is late by that, or a network stood
// still, and what it held back comes in a burst.
type backlog struct {
	unsure bool
	most   int64 // how far ahead of the clock the line has been since, ns
	at     int64 // where on the line that was
}

// heard takes how far the line is ahead of the clock at some place.
func (b *backlog) heard(line, ahead int64) {
	const nearer = 100 * time.Millisecond
	if ahead > b.most+int64(nearer) {
		b.most, b.at = ahead, line
	}
}

// settled tells whether the line, which has come that far, comes no nearer to
// the clock any more.
func (b *backlog) settled(line int64) bool {
	return !b.unsure || b.most >= -int64(slight) || line-b.at >= int64(time.Second)
}
