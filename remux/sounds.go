package remux

import (
	"hash/maphash"
	"time"
)

// sounds are fingerprints of an encoder's newest units of sound. Outputs of one
// encoder send the same bytes: where these lie tells two ways to lay a line apart,
// both of which put keyframes on keyframes.
type sounds struct {
	units [256]soundPrint // a few seconds
	n     int
}

type soundPrint struct {
	place int64 // ns on the line
	sum   uint64
}

var soundSeed = maphash.MakeSeed()

// soundPrintOf looks at the middle of a unit: its end may be padding.
func soundPrintOf(place int64, data []byte) soundPrint {
	const enough = 64 // bytes
	from := max(len(data)-enough, 0) / 2
	return soundPrint{place, maphash.Bytes(soundSeed, data[from:min(from+enough, len(data))])}
}

func (s *sounds) add(p soundPrint) {
	s.units[s.n%len(s.units)] = p
	s.n++
}

// bear tells whether the units of another encoder, moved by so many ns, are those that
// lie there: 1 where they are.
func (s *sounds) bear(units []soundPrint, by int64) (borne int) {
	const slack = int64(8 * time.Millisecond) // units are longer than twice that
	for _, u := range units {
		for _, o := range s.units[:min(s.n, len(s.units))] {
			if !near(o.place, u.place+by, slack) {
				continue
			}
			if o.sum != u.sum {
				return 0
			}
			borne = 1
		}
	}
	return borne
}
