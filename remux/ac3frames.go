package remux

import "errors"

var (
	errAC3Frame     = errors.New("an AC-3 frame that doesn't begin with a header")
	errAC3Short     = errors.New("an AC-3 frame is cut short")
	errAC3Dependent = errors.New("an E-AC-3 substream comes without the one that it depends on")
	errAC3Programs  = errors.New("an E-AC-3 substream without the ones before it")
)

const (
	ac3Block      = 256 // samples
	ac3Blocks     = 6   // of an access unit
	mostAC3Frames = 64  // of an access unit: 8 programs of 8 substreams are more than anybody sends
)

// ac3Frame is what a syncframe says of itself.
type ac3Frame struct {
	ac3Program
	dependent bool
	number    int    // of the substream; of a dependent one, among those
	size      int    // bytes
	blocks    int    // of 256 samples
	bsmod     uint32 // what kind of service it is
	sizeCode  uint32 // frmsizecod, of AC-3
	mapped    bool   // added is said; else the channels are those of the audio coding mode
}

// isAC3 tells that a syncframe begins here.
func isAC3(b []byte) bool { return len(b) >= 6 && b[0] == 0x0B && b[1] == 0x77 }

func parseAC3Frame(b []byte) (f ac3Frame, err error) {
	if !isAC3(b) {
		return f, errAC3Frame
	}
	// The version is at the same place in both syntaxes.
	switch f.bsid = uint32(b[5] >> 3); {
	case f.bsid <= 8:
		err = f.plain(b)
	case f.bsid > 10 && f.bsid <= 16:
		err = f.extended(b)
	default:
		err = errAC3Frame
	}
	if err == nil && f.size > len(b) {
		err = errAC3Short
	}
	return f, err
}

// ac3Rates are those of fscod; fscod2 has half of them.
var ac3Rates = [3]int{48000, 44100, 32000}

// plain reads a frame of AC-3 (sections 4.3.1 and 4.3.2).
func (f *ac3Frame) plain(b []byte) error {
	r := bitReader{b: b, pos: 32} // syncword, crc1
	f.rateCode, f.sizeCode = r.take(2), r.take(6)
	const codes = 38
	if f.rateCode == 3 || f.sizeCode >= codes {
		return errAC3Frame
	}
	f.rate, f.blocks = ac3Rates[f.rateCode], ac3Blocks
	kbit := [codes / 2]int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}[f.sizeCode>>1]
	words := kbit * 1000 / 16 * ac3Blocks * ac3Block / f.rate
	if f.rateCode == 1 {
		words += int(f.sizeCode & 1)
	}
	f.size = 2 * words
	r.take(5) // bsid
	f.bsmod, f.acmod = r.take(3), r.take(3)
	if f.acmod&1 != 0 && f.acmod != 1 {
		r.take(2) // cmixlev
	}
	if f.acmod&4 != 0 {
		r.take(2) // surmixlev
	}
	if f.acmod == 2 {
		r.take(2) // dsurmod
	}
	f.lfe = r.flag()
	if r.past() {
		return errAC3Short
	}
	return nil
}

// extended reads a frame of E-AC-3 (section E.1.2.2).
func (f *ac3Frame) extended(b []byte) error {
	const dependent, converted, reserved = 1, 2, 3
	r := bitReader{b: b, pos: 16}
	kind := r.take(2)
	if kind == reserved {
		return errAC3Frame
	}
	f.enhanced, f.dependent = true, kind == dependent
	f.number = int(r.take(3))
	f.size = 2 * (int(r.take(11)) + 1)
	f.blocks = ac3Blocks
	if f.rateCode = r.take(2); f.rateCode == 3 {
		half := r.take(2)
		if half == 3 {
			return errAC3Frame
		}
		f.rate = ac3Rates[half] / 2
	} else {
		f.rate = ac3Rates[f.rateCode]
		f.blocks = [...]int{1, 2, 3, ac3Blocks}[r.take(2)]
	}
	f.acmod, f.lfe = r.take(3), r.flag()
	r.take(5)                         // bsid
	for range 1 + b2i(f.acmod == 0) { // each of two programs
		r.take(5) // dialnorm
		r.optional(8)
	}
	if f.dependent {
		if f.mapped = r.flag(); f.mapped {
			f.added = uint16(r.take(16))
		}
	}
	if r.flag() {
		f.mixing(&r, kind == 0)
	}
	if r.flag() {
		f.information(&r)
	}
	if kind == 0 && f.blocks < ac3Blocks {
		r.take(1) // convsync
	}
	if kind == converted && (f.blocks == ac3Blocks || r.flag()) {
		r.take(6) // frmsizecod
	}
	if r.flag() {
		f.additional(&r)
	}
	if r.past() {
		return errAC3Short
	}
	return nil
}

// mixing skips the metadata that tells how to mix a program.
func (f *ac3Frame) mixing(r *bitReader, independent bool) {
	if f.acmod > 2 {
		r.take(2) // dmixmod
		if f.acmod&1 != 0 {
			r.take(6) // levels of the centre
		}
	}
	if f.acmod&4 != 0 {
		r.take(6) // levels of the surrounds
	}
	if f.lfe {
		r.optional(5)
	}
	if !independent {
		return
	}
	for range 1 + b2i(f.acmod == 0) {
		r.optional(6) // pgmscl
	}
	r.optional(6) // extpgmscl
	switch r.take(2) {
	case 1:
		r.take(5)
	case 2:
		r.take(12)
	case 3:
		for range r.take(5) + 2 {
			r.take(8)
		}
	}
	if f.acmod < 2 {
		for range 1 + b2i(f.acmod == 0) {
			r.optional(8 + 6) // panmean, paninfo
		}
	}
	if r.flag() { // frmmixcfginfoe
		if f.blocks == 1 {
			r.take(5)
		} else {
			for range f.blocks {
				r.optional(5)
			}
		}
	}
}

// information reads what kind of service it is, and skips the rest of it.
func (f *ac3Frame) information(r *bitReader) {
	f.bsmod = r.take(3)
	r.take(2) // copyrightb, origbs
	if f.acmod == 2 {
		r.take(4)
	}
	if f.acmod >= 6 {
		r.take(2)
	}
	for range 1 + b2i(f.acmod == 0) {
		r.optional(5 + 2 + 1) // the room that it was mixed in
	}
	if f.rateCode < 3 {
		r.take(1) // sourcefscod
	}
}

// additional reads addbsi, which says whether objects are coded (ETSI TS 103 420,
// section 8.3).
func (f *ac3Frame) additional(r *bitReader) {
	size := int(r.take(6)) + 1
	if size < 2 {
		r.take(8)
		return
	}
	r.take(7)
	extended := r.flag()
	complexity := int(r.take(8))
	if extended && !r.past() {
		f.objects = complexity
	}
	r.pos += 8 * (size - 2)
}

// optional skips n bits behind a flag that says that they are there.
func (r *bitReader) optional(n int) {
	if r.flag() {
		r.take(n)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ac3Unit is an access unit: a syncframe of AC-3; of E-AC-3 those of all substreams that
// make six blocks, or what there is of them.
type ac3Unit struct {
	first    ac3Frame
	programs ac3Programs
	blocks   int
	size     int // bytes
}

func (u *ac3Unit) samples() int { return ac3Block * u.blocks }

// cutAC3 reads the first access unit of a message. What follows behind its size may be
// another one, or padding.
func cutAC3(b []byte) (u ac3Unit, err error) {
	var frames, program int // the substream that dependent ones belong to
	for ; isAC3(b[u.size:]) && frames < mostAC3Frames; frames++ {
		f, err := parseAC3Frame(b[u.size:])
		starts := !f.dependent && f.number == 0
		switch {
		case u.blocks > 0 && (err != nil || starts && u.blocks+f.blocks > ac3Blocks):
			return u, nil // that one is for the next
		case err != nil:
			return u, err
		case u.blocks == 0 && !starts:
			return u, errAC3Dependent
		case u.blocks == 0:
			u.first = f
		}
		if starts {
			u.blocks += f.blocks
		}
		again := u.blocks > u.first.blocks // the substreams of the blocks behind the first ones
		switch p := &u.programs; {
		case f.dependent:
			if !again {
				p[program].depend(&f)
			}
		case !again && f.number > 0 && p[f.number-1].rate == 0:
			return u, errAC3Programs
		default:
			if program = f.number; !again {
				p[program] = f.ac3Program
			}
		}
		u.size += f.size
	}
	if u.blocks == 0 {
		return u, errAC3Frame
	}
	return u, nil
}

// depend adds the channels of a dependent substream.
func (p *ac3Program) depend(f *ac3Frame) {
	p.dependents++
	if f.mapped {
		p.added |= f.added
	} else {
		p.added |= dolbyModes[f.acmod]
	}
	p.objects = max(p.objects, f.objects)
}

// ac3Frames is AC-3 or E-AC-3 as Enhanced RTMP carries them: whole syncframes, each of
// which says what it is, whatever the stream is called.
type ac3Frames struct {
	decoder *AC3 // nil before the first access unit
	unit    unit // that next returned
}

func newAC3Frames() bitstream { return new(ac3Frames) }

func (a *ac3Frames) codec() Codec {
	if a.decoder == nil {
		return nil
	}
	return a.decoder
}

func (a *ac3Frames) configure([]byte) (bitstream, error) { return a, nil }

func (a *ac3Frames) peek(data []byte) (gop int, err error) {
	if u, err := cutAC3(data); err == nil {
		a.hear(&u)
	}
	return 0, nil
}

func (a *ac3Frames) hear(u *ac3Unit) {
	if a.decoder == nil || a.decoder.programs != u.programs {
		a.decoder = newAC3(u)
	}
}

func (a *ac3Frames) next(data []byte, _ bool) (u *unit, rest []byte, err error) {
	cut, err := cutAC3(data)
	if err != nil {
		return nil, nil, err
	}
	if rest = data[cut.size:]; !isAC3(rest) {
		rest = nil // padding
	}
	a.hear(&cut)
	a.unit = unit{data: data[:cut.size:cut.size], sync: true, samples: cut.samples(), odd: errAC3}
	return &a.unit, rest, nil
}
