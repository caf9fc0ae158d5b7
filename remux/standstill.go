package remux

import "time"

// standstill finds timestamps that stand still, or crawl, while frames come at their
// pace: an encoder whose clock hangs. From then on the time that passes is theirs.
type standstill struct {
	since time.Duration // when the first track stood still
	from  int64         // line there, ns
	sure  bool
}

// pace is how the timestamps of a track advance.
type pace struct {
	step  int64 // ns that a frame of the track lasts, of late; 0 before there were two
	still int   // frames in a row whose timestamps were hardly later than the one before
}

const (
	// standstillTime and standstillFrames must have come before it is believed.
	standstillTime   = time.Second
	standstillFrames = 8
)

// heard takes a step of a track's timestamps, and returns the one to make in its
// place. usual is how long its frames last by its decoder, or 0, and line where it is.
func (s *standstill) heard(p *pace, step, usual, line int64, arrived time.Duration) int64 {
	lasts := p.step
	if usual > 0 {
		lasts = usual
	}
	if step < 0 || step > 0 && step >= lasts/4 {
		if p.still = 0; step > 0 && step <= int64(maxStep) {
			if p.step == 0 {
				p.step = step
			}
			p.step += (step - p.step) / 8
		}
		return step
	}
	if s.since == 0 {
		s.since, s.from = max(arrived, 1), line
	}
	p.still++
	passed := arrived - s.since
	s.sure = s.sure || p.still >= standstillFrames && passed >= standstillTime
	if !s.sure {
		return step
	}
	if lasts == 0 { // they never moved
		lasts = int64(passed) / int64(p.still)
	}
	late := s.from + int64(passed) - line
	return max(step, min(max(late, lasts/4), lasts*9/8)) // parts are made for frames that last no longer
}
