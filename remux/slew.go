package remux

import "time"

// slew keeps the line beside the clock of this machine: encoders' clocks run
// up to 200 ppm too fast or too slow, which is 17 s in a day. It is a function
// of the place on the line alone, so that all tracks are moved alike.
//
// What is late says nothing, as networks stall. What comes earliest in a while
// tells where the present is.
type slew struct {
	from  int64   // place on the line
	shift int64   // ns there
	rate  float64 // from there on

	until    int64 // place at which the rate is set anew
	earliest int64 // how far ahead of the clock the line was at most, ns
	before   int64 // the same of the window before
}

const (
	slewWindow = 10 * time.Second
	slewTime   = 100 * time.Second // in which an error would be gone
	maxSlew    = 500e-6
)

func (s *slew) at(line int64) int64 {
	return s.shift + int64(s.rate*float64(line-s.from))
}

// heard takes how far the line is ahead of the clock at some place.
func (s *slew) heard(line, ahead int64) {
	ahead += s.at(line)
	if s.until == 0 {
		s.until, s.earliest, s.before, s.from = line+int64(slewWindow), ahead, ahead, line
	}
	s.earliest = max(s.earliest, ahead)
	if line < s.until {
		return
	}
	s.shift, s.from = s.at(line), line
	s.rate = min(max(-float64(s.earliest)/float64(slewTime), -maxSlew), maxSlew)
	s.until, s.earliest, s.before = line+int64(slewWindow), ahead, s.earliest
}

// best is how far the line is ahead of the clock where nothing is late.
func (s *slew) best() int64 { return max(s.earliest, s.before) }

// restart forgets what was heard of a line that is no more.
func (s *slew) restart() { *s = slew{shift: s.shift} }

// slight is how late a line may be: slewing makes up for it.
const slight = 500 * time.Millisecond

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
	if b.unsure && ahead > b.most+int64(nearer) {
		b.most, b.at = ahead, line
	}
}

// settled tells whether the line, which has come that far, comes no nearer to
// the clock any more.
func (b *backlog) settled(line int64) bool {
	return !b.unsure || b.most >= -int64(slight) || line-b.at >= int64(time.Second)
}
