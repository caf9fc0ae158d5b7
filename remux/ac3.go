package remux

import "math/bits"

// AC3 is a configured decoder of AC-3 or E-AC-3 (ETSI TS 102 366).
type AC3 struct {
	Sound
	Enhanced bool   // E-AC-3
	Config   []byte // body of the dac3 or dec3 box; must not be modified

	samples  int // that the first access unit lasts
	programs ac3Programs
}

// ac3Programs are the independent substreams of an access unit, by their numbers.
type ac3Programs [8]ac3Program

// ac3Program is what a decoder must know of an independent substream, and of those
// that depend on it. The zero value is none.
type ac3Program struct {
	enhanced   bool
	rate       int    // Hz
	rateCode   uint32 // fscod
	bsid       uint32
	acmod      uint32
	lfe        bool
	dependents int
	added      uint16 // the channels that the dependent ones have (table E.1.4)
	objects    int    // complexity of joint object coding (ETSI TS 103 420), 0 where there is none
}

// Locations in a channel map (ETSI TS 102 366, table E.1.4), which is how Dolby's scheme
// for manifests tells of channels, too.
const (
	dolbyLeft       = 1 << 15
	dolbyCentre     = 1 << 14
	dolbyRight      = 1 << 13
	dolbyLeftRight  = dolbyLeft | dolbyRight
	dolbySurrounds  = 1<<12 | 1<<11
	dolbyBackCentre = 1 << 8
	dolbyLFE        = 1 << 0
	dolbyPairs      = 1<<10 | 1<<9 | 1<<6 | 1<<5 | 1<<4 | 1<<2 // of two channels each
)

// dolbyModes are the channels of each audio coding mode, the first of which is two
// programs.
var dolbyModes = [8]uint16{
	dolbyLeftRight,
	dolbyCentre,
	dolbyLeftRight,
	dolbyLeftRight | dolbyCentre,
	dolbyLeftRight | dolbyBackCentre,
	dolbyLeftRight | dolbyCentre | dolbyBackCentre,
	dolbyLeftRight | dolbySurrounds,
	dolbyLeftRight | dolbyCentre | dolbySurrounds,
}

// channels is the channel map of a substream and its dependents.
func (p *ac3Program) channels() uint16 {
	m := dolbyModes[p.acmod] | p.added
	if p.lfe {
		m |= dolbyLFE
	}
	return m
}

// newAC3 is the decoder of an access unit.
func newAC3(u *ac3Unit) *AC3 {
	first := &u.programs[0]
	m := first.channels()
	c := &AC3{
		Sound: Sound{
			SampleRate: first.rate, Channels: bits.OnesCount16(m) + bits.OnesCount16(m&dolbyPairs),
			Dolby: m, Objects: first.objects,
		},
		Enhanced: first.enhanced,
		samples:  u.samples(), programs: u.programs,
	}
	if c.Enhanced {
		c.Config = u.dec3()
	} else {
		c.Config = u.dac3()
	}
	return c
}

// String is the name of the sample entry.
func (c *AC3) String() string {
	if c.Enhanced {
		return "ec-3"
	}
	return "ac-3"
}

func (c *AC3) kind() Kind { return Audio }

func (c *AC3) track() Track {
	return Track{Timescale: uint32(c.SampleRate), Sound: c.Sound, UnitDuration: uint32(c.samples)}
}

func (c *AC3) equal(o Codec) bool {
	d, ok := o.(*AC3)
	return ok && c.programs == d.programs
}

// dac3 is the body of an AC3SpecificBox (section F.4).
func (u *ac3Unit) dac3() []byte {
	p := &u.programs[0]
	var w bitWriter
	w.put(p.rateCode, 2)
	w.put(p.bsid, 5)
	w.put(u.first.bsmod, 3)
	w.put(p.acmod, 3)
	w.flag(p.lfe)
	w.put(u.first.sizeCode>>1, 5)
	w.put(0, 5)
	return w.b
}

// dec3 is the body of an EC3SpecificBox (section F.6), and what joint object coding
// adds to it (ETSI TS 103 420, section C.3).
func (u *ac3Unit) dec3() []byte {
	n := 0
	for n < len(u.programs) && u.programs[n].rate > 0 {
		n++
	}
	var w bitWriter
	w.put(uint32(min(u.size*8*u.programs[0].rate/u.samples()/1000, 1<<13-1)), 13)
	w.put(uint32(n-1), 3)
	for i := range u.programs[:n] {
		p := &u.programs[i]
		w.put(p.rateCode, 2)
		w.put(p.bsid, 5)
		w.put(0, 2) // reserved, asvc: that it is a service of its own
		if i == 0 {
			w.put(u.first.bsmod, 3)
		} else {
			w.put(0, 3)
		}
		w.put(p.acmod, 3)
		w.flag(p.lfe)
		w.put(0, 3)
		w.put(uint32(p.dependents), 4)
		if p.dependents > 0 {
			w.put(chanLoc(p.added), 9)
		} else {
			w.put(0, 1)
		}
	}
	if objects := u.programs[0].objects; objects > 0 {
		w.put(1, 8) // flag_ec3_extension_type_a
		w.put(uint32(objects), 8)
	}
	return w.b
}

// chanLoc is what chan_loc says of added channels (table F.6.1): nine of the locations,
// the first of them the lowest bit.
func chanLoc(added uint16) (loc uint32) {
	for bit, location := range [...]int{10, 9, 8, 7, 6, 5, 4, 3, 1} {
		loc |= uint32(added>>location&1) << bit
	}
	return loc
}
