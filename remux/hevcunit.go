package remux

// NAL unit types (H.265, table 7-1).
const (
	hevcBLA     = 16 // BLA_W_LP: pictures that lead may need what was before
	hevcCRA     = 21
	hevcLastRAP = 23 // 16 to 23 are pictures where decoding can start
	hevcLastVCL = 31
	hevcNALVPS  = 32
	hevcNALSEI  = 39 // in front of the picture
)

// hevcUnit is what the NAL units of a frame say about it.
type hevcUnit struct {
	data     []byte   // NAL units with 4-byte lengths
	sets     hevcSets // in band; alias data
	slice    []byte   // the first one; aliases data
	captions Captions // in SEI messages
	recovery int      // pictures until all is whole, as an SEI message says; −1 where none does
	hdr      hdr
	gop      int // greatest distance of keyframes in frames, 0 when unknown
}

// accessUnit reads the frame of a video tag.
func (h *hevc) accessUnit(b []byte, au *hevcUnit) error {
	data, err := h.reader.frame(b)
	if err == nil {
		au.read(data)
	}
	return err
}

// read reads NAL units with 4-byte lengths.
func (au *hevcUnit) read(data []byte) {
	*au = hevcUnit{data: data, recovery: -1}
	for nal := range nalUnits(data) {
		if len(nal) > 1 && baseLayer(nal) {
			au.note(nal)
		}
	}
}

func (au *hevcUnit) note(nal []byte) {
	switch kind := nal[0] >> 1; {
	case kind <= hevcLastVCL && au.slice == nil:
		au.slice = nal
	case kind == hevcNALSEI:
		au.noteSEI(nal)
	default:
		if kind, ok := setKind(nal); ok {
			au.sets[kind] = append(au.sets[kind], trimNAL(nal))
		}
	}
}

func (au *hevcUnit) noteSEI(nal []byte) {
	for kind, payload := range seiMessages(nal, 2) {
		switch kind {
		case seiRegistered:
			au.captions |= captions(payload)
		case seiUnregistered:
			au.gop = max(au.gop, keyint(payload))
		case seiRecoveryPoint:
			r := bitReader{b: payload}
			if n := r.se(); !r.past() && n >= 0 {
				au.recovery = int(n)
			}
		default:
			au.hdr.note(kind, payload)
		}
	}
}

// isIRAP tells whether decoding can start with the picture of a slice.
func isIRAP(slice []byte) bool {
	kind := slice[0] >> 1
	return kind >= hevcBLA && kind <= hevcLastRAP
}

func (au *hevcUnit) irap() bool { return au.slice != nil && isIRAP(au.slice) }

// open tells whether pictures that are shown before this one may need what was before.
func (au *hevcUnit) open() bool {
	kind := au.slice[0] >> 1
	return kind == hevcBLA || kind == hevcCRA
}
