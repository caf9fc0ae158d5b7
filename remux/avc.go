package remux

import (
	"bytes"
	"fmt"
	"strconv"
)

// avc is H.264 as FLV carries it: with an avcConfig of its own, or parameter sets in
// band.
type avc struct {
	reader  avcReader
	decoder *H264 // nil before there is one
	sawIDR  bool
	before  waiting
	unit    unit // that next returned

	lateSPS, latePPS [][]byte // came in band since decoding could start
}

func newAVC() bitstream { return &avc{reader: newAVCReader(4)} }

func (a *avc) codec() Codec {
	if a.decoder == nil {
		return nil
	}
	return a.decoder
}

func (a *avc) configure(record []byte) (bitstream, error) {
	c, err := parseAVCConfig(record)
	if err != nil {
		return a, err
	}
	c.sps, _ = mendAll(c.sps, mendSPS)
	if d := a.decoder; d != nil && a.reader.lengthSize == c.lengthSize && holdsAll(d.SPS, c.sps) && holdsAll(d.PPS, c.pps) {
		return a, nil
	}
	next := &avc{reader: newAVCReader(c.lengthSize), decoder: a.decoder, sawIDR: a.sawIDR, before: a.before, lateSPS: a.lateSPS, latePPS: a.latePPS}
	if len(c.sps)+len(c.pps) > 0 { // it takes the place of all that came in band
		next.before, next.lateSPS, next.latePPS = a.before.without(isAVCSet), nil, nil
	}
	return next, next.use(c.sps, c.pps)
}

func isAVCSet(nal []byte) bool { return nal[0]&0x1F == nalSPS || nal[0]&0x1F == nalPPS }

// use notes the decoder for the next keyframe. Parameter sets come as a whole or in
// parts, by a record or in band; the same ones again change nothing.
func (a *avc) use(sps, pps [][]byte) error {
	if d := a.decoder; d != nil {
		if len(sps) == 0 {
			sps = d.SPS
		}
		if len(pps) == 0 {
			pps = d.PPS
		}
		if equalAll(sps, d.SPS) && equalAll(pps, d.PPS) {
			return nil
		}
	}
	if len(sps) == 0 || len(pps) == 0 {
		return nil // the rest comes in band
	}
	d, err := newH264(sps, pps)
	if err != nil {
		return err
	}
	a.decoder = d
	return nil
}

func (a *avc) peek(data []byte) (gop int, err error) {
	var au accessUnit
	if a.reader.accessUnit(data, &au) != nil {
		return 0, nil
	}
	gop = keyframeInterval(au.data)
	return gop, a.parameterSets(&au, true)
}

func (a *avc) next(data []byte, keyframe bool) (u *unit, rest []byte, err error) {
	var au accessUnit
	if err := a.reader.accessUnit(data, &au); err != nil {
		return nil, nil, fmt.Errorf("video frame: %w", err)
	}
	if au.slice == nil { // parameter sets, or what describes a picture, in a frame of its own
		return nil, nil, a.before.wait(au.data, a.parameterSets(&au, false))
	}
	if a.before != nil {
		au.read(a.before.lead(au.data))
	}
	// The encoder's word is taken only where it sends no IDR pictures at all:
	// others call every I-frame a keyframe.
	a.sawIDR = a.sawIDR || au.idr
	sync := au.idr || au.recovery == 0 || keyframe && !a.sawIDR
	err = a.parameterSets(&au, sync)
	a.unit = unit{
		data: au.data, sync: sync, openGOP: sync && !au.idr,
		captions: au.captions, odd: a.odd(&au, sync),
	}
	return &a.unit, nil, err
}

// odd is what browsers make of a unit.
func (a *avc) odd(au *accessUnit, sync bool) error {
	if err := au.joining(); err != nil || !sync || a.decoder == nil {
		return err
	}
	return a.decoder.odd()
}

// joining is what browsers make of a picture where decoding can start.
func (au *accessUnit) joining() error {
	switch {
	case au.idr || au.recovery < 0:
		return nil
	case au.recovery == 0:
		return errOpenGroups
	}
	return errIntraRefresh
}

// avcConfig is an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, section
// 5.3.3.1). The parameter sets may be missing: some encoders send them in
// band only.
type avcConfig struct {
	lengthSize int
	sps, pps   [][]byte // alias the record
}

func parseAVCConfig(b []byte) (c avcConfig, err error) {
	if len(b) < 5 {
		return c, fmt.Errorf("AVC configuration: %w", errShortRecord)
	}
	if b[0] != 1 {
		return c, fmt.Errorf("AVC configuration: version %d", b[0])
	}
	c = avcConfig{lengthSize: int(b[4]&3) + 1}
	if len(b) == 5 {
		return c, nil
	}
	kind := func(nal []byte) byte { return nal[0] & 0x1F }
	c.sps, b, err = recordSets(b[6:], int(b[5]&0x1F), func(nal []byte) bool { return len(nal) >= 4 && kind(nal) == nalSPS })
	if err == nil && len(b) > 0 {
		c.pps, _, err = recordSets(b[1:], int(b[0]), func(nal []byte) bool { return len(nal) >= 2 && kind(nal) == nalPPS })
	}
	if err != nil {
		return avcConfig{}, fmt.Errorf("AVC configuration: %w", err)
	}
	return c, nil
}

// keyframeInterval reads the greatest distance of keyframes, in frames, out of
// the text that x264 leaves in the first one: its options. 0 when there is
// none. data is an access unit in MP4's form.
func keyframeInterval(data []byte) int {
	const longest = 4 << 10
	for nal := range nalUnits(data) {
		if nal[0]&0x1F != nalSEI || len(nal) > longest {
			continue
		}
		if n := keyint(nal); n > 0 {
			return n
		}
	}
	return 0
}

// keyint is the option of that name in the text that x264 and x265 leave in an SEI
// message; 0 where there is none.
func keyint(nal []byte) int {
	_, text, ok := bytes.Cut(nal, []byte(" keyint="))
	if !ok {
		return 0
	}
	text, _, _ = bytes.Cut(text, []byte(" "))
	n, err := strconv.Atoi(string(text)) // "infinite" is no number
	if err != nil || n < 0 || n >= 1<<16 {
		return 0
	}
	return n
}
