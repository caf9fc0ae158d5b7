package remux

import "slices"

// pins are when pictures are shown, by their places on the line: who comes first to
// a place says it, and all others show theirs there at that time, to the tick. Places
// are a rounding apart.
type pins struct {
	frames [1024]pin // the newest 4 s, by their place in steps of pinStep
	keys   [64]pin   // the newest keyframes: encoders may be held up
	n      int       // of keys
}

type pin struct{ place, pts int64 } // ns on the line, ticks

const pinStep = 2 * rounding

// said is when a picture at a place is shown, 0 where nobody was there before.
func (p *pins) said(place int64, key bool) int64 {
	step := place / pinStep
	for _, i := range [...]int64{step, step - 1, step + 1} {
		if f := p.frames[uint64(i)%uint64(len(p.frames))]; near(f.place, place, rounding) {
			return f.pts
		}
	}
	if key {
		if i := slices.IndexFunc(p.keys[:], func(k pin) bool { return near(k.place, place, rounding) }); i >= 0 {
			return p.keys[i].pts
		}
	}
	return 0
}

// say tells it to all others.
func (p *pins) say(place, pts int64, key bool) {
	if f := &p.frames[uint64(place/pinStep)%uint64(len(p.frames))]; f.place < place {
		*f = pin{place, pts}
	}
	if key {
		p.keys[p.n%len(p.keys)] = pin{place, pts}
		p.n++
	}
}
