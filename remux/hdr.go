package remux

// SEI messages of pictures with a high dynamic range (H.274, section 8).
const (
	seiMastering = 137
	seiLight     = 144
)

// hdr is what SEI messages say of a high dynamic range.
type hdr struct {
	mastering *Mastering
	light     *Light
}

// note takes what an SEI message says.
func (h *hdr) note(kind int, b []byte) {
	r := bitReader{b: b}
	two := func() [2]uint16 { return [2]uint16{uint16(r.take(16)), uint16(r.take(16))} }
	switch {
	case kind == seiMastering && len(b) >= 24:
		h.mastering = &Mastering{
			Primaries:    [3][2]uint16{two(), two(), two()},
			WhitePoint:   two(),
			MaxLuminance: r.take(32),
			MinLuminance: r.take(32),
		}
	case kind == seiLight && len(b) >= 4:
		l := two()
		h.light = &Light{MaxCLL: l[0], MaxFALL: l[1]}
	}
}

// tell puts it into a picture where nothing is known yet: who repeats it with other
// numbers begins no period.
func (h *hdr) tell(p *Picture) {
	if p.Mastering == nil {
		p.Mastering = h.mastering
	}
	if p.Light == nil {
		p.Light = h.light
	}
}
