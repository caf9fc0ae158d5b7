package remux

// NAL unit types (H.264, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
	nalSEI   = 6
	nalSPS   = 7
	nalPPS   = 8
)

// accessUnit is what the NAL units of a frame say about it.
type accessUnit struct {
	data     []byte // NAL units with 4-byte lengths
	idr      bool
	sps, pps [][]byte // in band; alias data
	slice    []byte   // the first one; aliases data
	captions Captions // in SEI messages
	recovery int      // frames until the picture is whole, as an SEI message says; −1 where none does
}

// avcReader reads frames written with one avcConfig.
type avcReader struct{ nalReader }

func newAVCReader(lengthSize int) avcReader { return avcReader{nalReader{lengthSize: lengthSize}} }

// accessUnit reads the frame of a video tag.
func (r *avcReader) accessUnit(b []byte, au *accessUnit) error {
	data, err := r.frame(b)
	if err == nil {
		au.read(data)
	}
	return err
}

// read reads NAL units with 4-byte lengths.
func (au *accessUnit) read(data []byte) {
	*au = accessUnit{data: data, recovery: -1}
	for nal := range nalUnits(data) {
		au.note(nal)
	}
}

func (au *accessUnit) note(nal []byte) {
	kind := nal[0] & 0x1F
	if kind >= nalSlice && kind <= nalIDR && au.slice == nil {
		au.slice = nal
	}
	switch kind {
	case nalIDR:
		au.idr = true
	case nalSPS:
		if nal = trimNAL(nal); len(nal) >= 4 {
			au.sps = append(au.sps, nal)
		}
	case nalPPS:
		au.pps = append(au.pps, trimNAL(nal))
	case nalSEI:
		au.noteSEI(nal)
	}
}
