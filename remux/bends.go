package remux

import "sync/atomic"

// bends are where the line of several encoders is bent: a function of the place on
// it that all see alike (see slew). One encoder drives it, and the others may be
// some seconds ahead of that one: a bend begins bendAhead behind the place at which
// it was decided. Those who were held up find the bends of the last two minutes.
type bends struct {
	newest atomic.Pointer[[16]bend] // newest first; what it points to is never changed
}

// bend is how far the line is from the true time, from a place on.
type bend struct {
	from  int64   // place on the line
	shift int64   // ns there
	rate  float64 // from there on
}

// bendAhead is how far encoders of one stream may be apart: see commonSkew.
const bendAhead = int64(2 * commonSkew)

func (b *bend) at(line int64) int64 { return b.shift + int64(b.rate*float64(line-b.from)) }

// of is the bend that a place lies behind.
func (b *bends) of(line int64) *bend {
	all := b.newest.Load()
	for i := range all {
		if line >= all[i].from {
			return &all[i]
		}
	}
	return &all[len(all)-1]
}

func (b *bends) at(line int64) int64 { return b.of(line).at(line) }

// add bends the line behind a place.
func (b *bends) add(line int64, rate float64) {
	all := *b.newest.Load()
	from := max(line+bendAhead, all[0].from)
	next := bend{from, all[0].at(from), rate}
	copy(all[1:], all[:])
	all[0] = next
	b.newest.Store(&all)
}

// begin starts anew with the bends of one encoder.
func (b *bends) begin(s *slew) {
	const before = 1 << 40 // ns: 18 minutes
	all := new([16]bend)
	for i := range all {
		all[i] = bend{s.from - before, s.shift - int64(s.prior*before), s.prior}
	}
	all[0] = bend{s.from, s.shift, s.rate}
	b.newest.Store(all)
}

// line is the place at which it is so late, in ns since 1970.
func (b *bends) line(ns int64) int64 {
	line := ns
	for range 4 { // each is 2,000 times nearer
		line = ns - b.at(line)
	}
	return line
}
