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
	prior float64 // rate up to there

	until    int64 // place at which the rate is set anew
	earliest int64 // how far ahead of the clock the line was at most, ns
	before   int64 // the same of the window before
	right    int64 // how far ahead it is to be: 0 of one encoder alone

	member *member // of several encoders on one line, which is bent for all; nil for one alone
}

const (
	slewWindow = 10 * time.Second
	slewTime   = 100 * time.Second // in which an error would be gone
	maxSlew    = 500e-6
)

func (s *slew) at(line int64) int64 {
	if s.member != nil {
		return s.member.genlock.bends.at(line)
	}
	rate := s.rate
	if line < s.from {
		rate = s.prior
	}
	return s.shift + int64(rate*float64(line-s.from))
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
	s.bend(line, min(max(-float64(s.earliest-s.right)/float64(slewTime), -maxSlew), maxSlew))
	s.until, s.earliest, s.before = line+int64(slewWindow), ahead, s.earliest
}

// bend sets the rate from a place on.
func (s *slew) bend(line int64, rate float64) {
	if s.member != nil {
		s.member.bend(line, rate)
		return
	}
	s.shift, s.from, s.prior = s.at(line), line, s.rate
	s.rate = rate
}

// detach makes the bends its own, from a place on.
func (s *slew) detach(line int64) {
	if s.member == nil {
		return
	}
	b := s.member.genlock.bends.of(line)
	s.shift, s.from, s.prior, s.rate, s.member = b.at(line), line, b.rate, b.rate, nil
}

// move goes on with a line that was moved.
func (s *slew) move(by int64) {
	s.from += by
	if s.until > 0 {
		s.until += by
	}
}

// best is how far the line is ahead of the clock where nothing is late.
func (s *slew) best() int64 { return max(s.earliest, s.before) }

// ahead is how far it is ahead of where it is to be.
func (s *slew) ahead() int64 { return s.best() - s.right }

// restart forgets what was heard of a line that is no more.
func (s *slew) restart() { *s = slew{shift: s.shift, member: s.member} }

// slight is how late a line may be: slewing makes up for it.
const slight = 500 * time.Millisecond
