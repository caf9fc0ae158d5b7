package remux

// aacFrames is AAC as FLV carries it: bare access units behind a configuration, or
// ADTS, which may be all that says what it is.
type aacFrames struct {
	decoder *AAC       // nil before there is one
	adts    adtsHeader // that the decoder was taken from; zero where a configuration was sent
	unit    unit       // that next returned
	scratch []byte
}

func newAACFrames() bitstream { return new(aacFrames) }

func (a *aacFrames) codec() Codec {
	if a.decoder == nil {
		return nil
	}
	return a.decoder
}

func (a *aacFrames) configure(record []byte) (bitstream, error) {
	d, err := newAAC(record)
	if err != nil {
		return a, err
	}
	a.adts = adtsHeader{}
	if a.decoder != nil && a.decoder.equal(d) {
		return a, nil
	}
	return &aacFrames{decoder: d}, nil
}

func (a *aacFrames) peek(data []byte) (gop int, err error) {
	if !isADTS(data) {
		return 0, nil
	}
	h, unit, _, err := cutADTS(data)
	if err != nil {
		return 0, nil
	}
	return 0, a.told(h, unit)
}

// told takes the configuration from an ADTS header, for encoders that send no other.
func (a *aacFrames) told(h adtsHeader, unit []byte) error {
	if a.decoder != nil && (a.adts == adtsHeader{} || a.adts == h) {
		return nil
	}
	d, err := h.codec(unit)
	if err != nil {
		return err
	}
	if a.decoder == nil || !a.decoder.equal(d) {
		a.decoder = d
	}
	a.adts = h
	return nil
}

func (a *aacFrames) next(data []byte, _ bool) (u *unit, rest []byte, err error) {
	if isADTS(data) {
		var h adtsHeader
		if h, data, rest, err = cutADTS(data); err != nil {
			return nil, nil, err
		}
		if !isADTS(rest) {
			rest = nil // padding
		}
		err = a.told(h, data)
	}
	a.unit.data, a.unit.sync = data, true
	d := a.decoder
	if d == nil {
		return &a.unit, rest, err
	}
	a.unit.samples = d.FrameSamples
	if len(data) > d.most() {
		return nil, rest, errLargeUnit
	}
	if p := d.program; p != nil && data[0]>>5 != elementPCE {
		a.scratch = append(append(a.scratch[:0], p...), data...)
		a.unit.data = a.scratch
	}
	return &a.unit, rest, err
}
