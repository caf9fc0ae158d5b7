package remux

import "time"

// rush is what an encoder sends faster than time passes where it begins: what a relay has
// kept, or what ffmpeg reads ahead. When its first frame arrived says nothing then of
// where it lies beside the others; what comes at the end of it does.
type rush struct {
	begun       bool
	first, most int64         // how far the line was ahead of the clock, ns
	rose        time.Duration // when that became more
	waits       time.Duration // since when the first period does; 0 before
}

// note takes how far the line is ahead of the clock.
func (u *rush) note(ahead int64, arrived time.Duration) {
	const jitter = int64(10 * time.Millisecond)
	if !u.begun {
		u.begun, u.first, u.most = true, ahead, ahead
	}
	if ahead > u.most+jitter {
		u.most, u.rose = ahead, arrived
	}
}

// on tells whether it is not over yet, for all that is known.
func (u *rush) on(arrived time.Duration) bool {
	const (
		least = int64(20 * time.Millisecond)
		quiet = 100 * time.Millisecond
	)
	return u.most-u.first > least && arrived-u.rose < quiet
}

// patient tells whether the first period may wait.
func (u *rush) patient(arrived time.Duration) bool {
	const most = 2 * time.Second
	if u.waits == 0 {
		u.waits = max(arrived, 1)
	}
	return arrived-u.waits < most
}
