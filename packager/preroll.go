package packager

import (
	"time"

	"github.com/sluice-live/sluice/remux"
)

// preroll is how the pictures are shown with which a publisher begins a period in front of where lists
// end. Those behind need them, so none may be missing; and what lists have told of their time stays. So they
// are decoded where lists end, and shown for a moment each: the first one that is shown when the encoder says
// comes a fraction of that time later. Times are ticks.
//
//	the encoder's   K───P───P───P───P───P───P─
//	lists                        … end│
//	shown                             KPPPPP──P─
type preroll struct {
	from  int64 // the first is shown, as the encoder says
	delay int64 // behind when it is decoded: so it is with those that are shown in time, and durations make up what is shown
	at    int64 // and where lists end
	ends  int64 // those from here on are shown when the encoder says
}

// prerollSpeed is how many times faster they are shown.
const prerollSpeed = 64

func newPreroll(first *remux.Sample, at int64) preroll {
	delay := int64(first.CompositionOffset)
	from := first.DTS + delay
	return preroll{from, delay, at, at + (at-from)/(prerollSpeed-1)}
}

// shows is when what the encoder says is to be, in the same order.
func (p *preroll) shows(at int64) int64 {
	if at >= p.ends {
		return at
	}
	return p.at + (at-p.from)/prerollSpeed
}

// hidden is how much of what the encoder says of the time of a segment isn't shown, if the period begins with that.
func (p *preroll) hidden(s *Segment) int64 {
	if p.ends == 0 || s.PTS >= p.ends {
		return 0
	}
	return p.at - p.from
}

// fit changes when a picture is decoded and shown. How long it lasts the next one tells.
func (p *preroll) fit(s *remux.Sample) {
	if p.ends == 0 || s.DTS+p.delay >= p.ends {
		return
	}
	shown := p.shows(s.DTS + int64(s.CompositionOffset))
	s.DTS = p.shows(s.DTS+p.delay) - p.delay
	s.CompositionOffset = int32(shown - s.DTS)
}

// prerollEndsAt tells whether a keyframe, behind the samples of a segment with which the period begins, ends that: groups
// are as long as the encoder says, and what is left of one lasts as long as players notice. Else the segment would
// get longer by what is left, and have to end without a keyframe.
func (w *writer) prerollEndsAt(s *remux.Sample) bool {
	const least = 100 * time.Millisecond
	return w.preroll.hidden(w.open) > 0 && w.duration(s.DTS+w.preroll.delay-w.preroll.ends) >= least &&
		w.sinceKeyframe()+w.duration(int64(s.Duration))/2 >= w.beat.segmentMin
}
