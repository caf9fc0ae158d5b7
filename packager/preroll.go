package packager

import "github.com/sluice-live/sluice/remux"

// preroll is how the pictures are shown with which a publisher begins a period in front of where lists
// end. Those behind need them, so none may be missing; and what lists have told of their time stays. So they
// are decoded where lists end, and shown for a moment each: the first one that is shown when the encoder says
// comes a fraction of that time later. Times are ticks.
//
//	the encoder's   K───P───P───P───P───P───P─
//	lists                        … end│
//	shown                             KPPPPP──P─
type preroll struct {
	from int64 // the first is shown, as the encoder says
	at   int64 // and where lists end
	ends int64 // those from here on are shown when the encoder says
}

// prerollSpeed is how many times faster they are shown.
const prerollSpeed = 64

func newPreroll(from, at int64) preroll {
	return preroll{from, at, at + (at-from)/(prerollSpeed-1)}
}

// shows is when what the encoder says is to be, in the same order.
func (p *preroll) shows(at int64) int64 {
	if at >= p.ends {
		return at
	}
	return p.at + (at-p.from)/prerollSpeed
}

// fit changes when a picture is decoded and shown. How long it lasts the next one tells.
func (p *preroll) fit(s *remux.Sample) {
	if p.ends == 0 || s.DTS >= p.ends {
		return
	}
	shown := p.shows(s.DTS + int64(s.CompositionOffset))
	s.DTS = p.shows(s.DTS)
	s.CompositionOffset = int32(shown - s.DTS)
}
