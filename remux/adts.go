package remux

import "errors"

// adtsHeader says of an ADTS frame what a configuration would (ISO/IEC 14496-3,
// tables 1.A.6 and 1.A.7).
type adtsHeader struct {
	object, rate  int
	channelConfig int // 0 where a program config element in the access unit says
}

var (
	errShortADTS = errors.New("an ADTS frame is cut short")
	errADTSGroup = errors.New("ADTS frames of several access units each can't be taken apart: set the encoder's audio to AAC without ADTS")
)

// isADTS tells an ADTS frame from a bare access unit, which would end before it
// begins with these bits.
func isADTS(b []byte) bool {
	return len(b) >= 2 && b[0] == 0xFF && b[1]&0xF6 == 0xF0
}

// cutADTS takes the first of the ADTS frames that b begins with: unit and rest
// alias b.
func cutADTS(b []byte) (h adtsHeader, unit, rest []byte, err error) {
	r := bitReader{b: b, pos: 12 + 1 + 2} // sync word, ID, layer
	size := 9
	if r.flag() { // protection_absent
		size = 7
	}
	h.object = 1 + int(r.take(2))
	h.rate = samplingRate(&r)
	r.take(1) // private_bit
	h.channelConfig = int(r.take(3))
	r.take(4)
	length := int(r.take(13))
	r.take(11) // buffer fullness
	blocks := 1 + r.take(2)
	switch {
	case r.past(), length <= size, length > len(b):
		return h, nil, nil, errShortADTS
	case blocks > 1:
		return h, nil, nil, errADTSGroup
	}
	return h, b[size:length:length], b[length:], nil
}

// codec is the decoder that a header describes, and the access unit behind it.
func (h adtsHeader) codec(unit []byte) (*AAC, error) {
	c := audioConfig{object: h.object, rate: h.rate, channelConfig: h.channelConfig}
	switch {
	case h.object != objectLC:
		return nil, errObjectType(h.object)
	case h.rate == 0:
		return nil, errors.New("ADTS without a sample rate")
	case h.channelConfig > 0:
		c.elements = channelConfigs[h.channelConfig]
		return c.codec()
	}
	r := bitReader{b: unit}
	if r.take(3) != elementPCE {
		return nil, errors.New("ADTS that doesn't say how many channels there are")
	}
	var err error
	if c.elements, c.program, err = programConfig(&r); err != nil {
		return nil, err
	}
	return c.codec()
}
