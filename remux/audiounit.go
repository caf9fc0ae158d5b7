package remux

import "errors"

// maxUnits is how many access units an audio tag may have.
const maxUnits = 64

var (
	errLargeUnit = errors.New("an AAC access unit is larger than the codec allows")
	errManyUnits = errors.New("an audio tag has too many ADTS frames")
)

// nextUnit takes the first access unit of an audio tag's data, as samples have
// it: without ADTS, and with a program config element where it needs one. It is
// valid until the next one; rest is what comes behind it.
func (a *audioTrack) nextUnit(data []byte) (unit, rest []byte, err error) {
	unit = data
	if isADTS(data) {
		if _, unit, rest, err = cutADTS(data); err != nil {
			return nil, nil, err
		}
		if !isADTS(rest) {
			rest = nil // padding
		}
	}
	if len(unit) > a.codec.most() {
		return nil, rest, errLargeUnit
	}
	if p := a.codec.program; p != nil && unit[0]>>5 != elementPCE {
		a.scratch = append(append(a.scratch[:0], p...), unit...)
		unit = a.scratch
	}
	return unit, rest, nil
}

// writeUnits passes on the access units of an audio tag's data, the first of which
// belongs at a time; the others follow on it.
func (r *Remuxer) writeUnits(data []byte, at int64) error {
	for n := 0; len(data) > 0; n++ {
		if n == maxUnits {
			r.drop(errManyUnits)
			return nil
		}
		unit, rest, err := r.audio.nextUnit(data)
		data = rest
		if err != nil {
			r.drop(err)
			continue
		}
		if err := r.out.WriteSample(Sample{
			Track:    r.audio.index,
			DTS:      r.audio.clock.dts(at + int64(n)*r.clock.usual[Audio]),
			Duration: uint32(r.audio.codec.FrameSamples),
			Sync:     true,
			Data:     unit,
		}); err != nil {
			return err
		}
	}
	return nil
}
