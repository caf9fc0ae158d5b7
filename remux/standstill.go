package remux

import "time"

// standstill finds timestamps that stand still, or crawl, while frames come at their
// pace: an encoder whose clock hangs. From then on the frames tell the time, each by
// how long it usually lasts.
type standstill struct {
	pace   int64 // ns that a frame of the track lasts, of late; 0 before there were two
	frames int   // in a row whose timestamps were hardly later than the one before
	since  time.Duration
	from   int64 // line where they began, ns
}

const (
	// standstillTime and standstillFrames must have come before it is believed.
	standstillTime   = time.Second
	standstillFrames = 8
)

// heard takes a step of the timestamps and returns the one to make in its place: the
// line, which is at a place now, gets no further than time has passed since.
func (s *standstill) heard(step, usual, line int64, arrived time.Duration) int64 {
	pace := s.pace
	if usual > 0 {
		pace = usual
	}
	if step < 0 || step > 0 && step >= pace/4 {
		if s.frames = 0; step > 0 && step <= int64(maxStep) {
			if s.pace == 0 {
				s.pace = step
			}
			s.pace += (step - s.pace) / 8
		}
		return step
	}
	if s.frames == 0 {
		s.since, s.from = arrived, line
	}
	s.frames++
	if s.frames < standstillFrames || arrived-s.since < standstillTime {
		return step
	}
	if pace == 0 { // they never moved
		pace = int64(arrived-s.since) / int64(s.frames)
	}
	return max(step, min(pace, s.from+int64(arrived-s.since)-line))
}
