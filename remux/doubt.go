package remux

import "time"

// doubt is about a timestamp that is off the line: whether the stream jumped there or
// the frame is a stray one shows with the next.
type doubt struct {
	suspect *suspect // nil where there is none
	lone    int      // how many frames in a row are told from strays by nothing
}

// suspect is such a timestamp.
type suspect struct {
	timestamp uint32
	heard     time.Duration
}

// fate is what becomes of its frame.
type fate uint8

const (
	fateNone  fate = iota // none waited
	fateKept              // the track jumped there
	fateStray             // it is dropped
	fateLone              // it may be either: it is kept, and the line goes on as if it weren't there
)

// mostLone is how many frames in a row may have timestamps that none near them
// bears out: a stray one and another, or a jump and a stray one behind it.
const mostLone = 2

// judge decides on the frame that waits by the timestamp behind it. Where that
// goes on neither here nor there, those that follow will tell.
func (c *lane) judge(behind uint32, arrived time.Duration) fate {
	s := c.doubt.suspect
	pause, apart := milliseconds(behind-s.timestamp), milliseconds(behind-c.last)
	switch {
	case c.follows(behind - s.timestamp):
		return fateKept
	case c.plausible(behind - c.last):
		return fateStray
	case pause > 0 && pause <= int64(arrived-s.heard+maxStep): // time passed for both of us
		return fateKept
	case apart > 0 && near(apart, int64(arrived-c.heard), int64(maxStep)): // … since the one before it
		return fateStray
	case c.doubt.lone < mostLone:
		return fateLone
	}
	return fateKept
}
