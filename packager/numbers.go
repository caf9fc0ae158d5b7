package packager

import "time"

// numbers are those that a publication begins with: a media sequence number and
// a discontinuity sequence number.
//
// They come from the clock, so that numbers grow over restarts of the server
// with nothing on disk. Within a server they go on behind what a stream has used
// already, whatever the clock says.
type numbers struct {
	media, discontinuity int64
}

const (
	// mediaTick is the time for one media sequence number. A segment lasts a
	// second or more; publications of one name begin a second apart, and leave
	// no more than three scraps. So what is used never gets ahead of the clock.
	mediaTick = time.Second / 4

	// discontinuityTick is the time for one discontinuity sequence number. The
	// number must stay small: hls.js has an array with that index and walks
	// through all of it for every playlist, which took half a second of its only
	// thread when it was the seconds. A stream that breaks more often than that
	// gets ahead of the clock, and goes back over a restart.
	discontinuityTick = 5 * time.Minute
)

// numberEpoch is where the numbers of all streams begin.
var numberEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// numbersAt returns the clock's numbers.
func numbersAt(now time.Time) numbers {
	d := max(0, now.Sub(numberEpoch))
	return numbers{int64(d / mediaTick), int64(d / discontinuityTick)}
}

// numbersBehind returns the first that are above all that a Window has used.
func numbersBehind(w *Window) (n numbers) {
	for r := range w.all {
		n.media = max(n.media, int64(r.Open)+1)
		for _, list := range [][]*Segment{r.Segments, r.Retired} {
			if k := len(list); k > 0 {
				n.discontinuity = max(n.discontinuity, list[k-1].Header.Period.Sequence+1)
			}
		}
	}
	return n
}

// or returns the higher of each.
func (n numbers) or(m numbers) numbers {
	return numbers{max(n.media, m.media), max(n.discontinuity, m.discontinuity)}
}

// ahead is how long a clock that stands at m takes until it has come up with n.
func (n numbers) ahead(m numbers) time.Duration {
	return max(0, time.Duration(n.media-m.media)*mediaTick, time.Duration(n.discontinuity-m.discontinuity)*discontinuityTick)
}
