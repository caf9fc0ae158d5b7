package remux

import (
	"bytes"
	"errors"
	"fmt"
)

// av1Units is AV1 as FLV carries it: temporal units in the low-overhead format. What
// configures the decoder is the sequence header, of a record or of a key frame.
type av1Units struct {
	reader  obuReader
	decoder *AV1   // nil before there is one
	record  []byte // the newest that came
	unit    unit   // that next returned
	scratch []byte
}

func newAV1Units() bitstream { return new(av1Units) }

func (a *av1Units) codec() Codec {
	if a.decoder == nil {
		return nil
	}
	return a.decoder
}

// maxAV1Record bounds a record: behind a sequence header it has metadata.
const maxAV1Record = 4 << 10

// configure reads an AV1CodecConfigurationRecord (AV1 Codec ISO Media File Format
// Binding, section 2.3). It may be without a sequence header: then that of the first
// key frame is all.
func (a *av1Units) configure(record []byte) (bitstream, error) {
	switch {
	case bytes.Equal(record, a.record):
		return a, nil
	case len(record) < 4:
		return a, errors.New("AV1 configuration: record is cut short")
	case len(record) > maxAV1Record:
		return a, errors.New("AV1 configuration: record is too long")
	case record[0] != 0x81:
		return a, fmt.Errorf("AV1 configuration: marker and version %#x", record[0])
	}
	u, _, err := a.reader.temporalUnit(record[4:])
	if err != nil {
		return a, fmt.Errorf("AV1 configuration: %w", err)
	}
	next := &av1Units{decoder: a.decoder, record: bytes.Clone(record)}
	if err := next.use(&u); err != nil || next.decoder == a.decoder {
		a.record = next.record
		return a, err
	}
	return next, nil
}

// use notes the decoder that a sequence header, and what comes with it, are for; or a key
// frame without one. The same again changes nothing.
func (a *av1Units) use(u *temporalUnit) error {
	d := a.decoder
	switch {
	case u.sequence != nil && (d == nil || !d.holds(u.sequence)):
		var err error
		if d, err = newAV1(u.sequence); err != nil {
			return err
		}
	case d == nil, u.sequence == nil && !d.joins(u.frame):
		return nil
	}
	a.decoder = d.with(u)
	return nil
}

func (a *av1Units) peek(data []byte) (gop int, err error) {
	u, _, err := a.reader.temporalUnit(data)
	if err != nil {
		return 0, nil
	}
	return 0, a.use(&u)
}

var errNoAV1Frame = errors.New("AV1: a temporal unit without a frame")

func (a *av1Units) next(data []byte, _ bool) (u *unit, rest []byte, err error) {
	t, rest, err := a.reader.temporalUnit(data)
	if err != nil {
		return nil, nil, err
	}
	err = a.use(&t)
	if len(t.frame) == 0 {
		if err == nil && t.sequence == nil {
			err = errNoAV1Frame
		}
		return nil, rest, err
	}
	a.unit = unit{data: t.data, sync: a.decoder != nil && a.decoder.joins(t.frame)}
	if !a.unit.sync && t.frame[0]&av1KeyBits == av1KeyHidden {
		a.unit.odd = errForwardKeys
	}
	if a.unit.sync && t.sequence == nil {
		// Players join only where they find it (section 2.4 of the binding).
		a.scratch = append(append(a.scratch[:0], a.decoder.Sequence...), t.data...)
		a.unit.data = a.scratch
	}
	return &a.unit, rest, err
}

// Beginnings of a frame header (AV1, section 5.9.2): not one that was sent before, of type
// key frame, and shown or not.
const (
	av1KeyBits   = 0xF0
	av1KeyShown  = 0x10
	av1KeyHidden = 0x00
)

// joins tells by the header of a frame whether it is a key frame that is shown.
// One that is shown later (a forward key frame) is nowhere to join, and neither is a
// switch frame.
func (c *AV1) joins(header []byte) bool {
	return len(header) > 0 && (c.sequence.still || header[0]&av1KeyBits == av1KeyShown)
}
