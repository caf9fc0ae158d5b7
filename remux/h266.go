package remux

import (
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
)

// H266 is a configured VVC decoder. Its slices must not be modified.
type H266 struct {
	Record      []byte // VvcDecoderConfigurationRecord, for 4-byte lengths
	Profile     uint8  // general_profile_idc
	Level       uint8  // general_level_idc
	HighTier    bool
	Constraints []byte // two flags and general_constraint_info
	Picture            // as the record says; not cropped

	sets [][]byte // in the record
}

// maxVVCRecord is more than any encoder sends.
const maxVVCRecord = 16 << 10

// newH266 reads a VvcDecoderConfigurationRecord (ISO/IEC 14496-15, section
// 11.2.4.2.2), and how long the lengths of NAL units are.
func newH266(record []byte) (c *H266, lengthSize int, err error) {
	switch {
	case len(record) == 0:
		return nil, 0, fmt.Errorf("VVC configuration: %w", errShortRecord)
	case len(record) > maxVVCRecord:
		return nil, 0, fmt.Errorf("VVC configuration of %d bytes", len(record))
	case record[0]&1 == 0:
		return nil, 0, errors.New("VVC configuration without profile, level and size")
	}
	lengthSize = int(record[0]>>1&3) + 1
	record = bytes.Clone(record)
	record[0] |= 3 << 1
	c = &H266{Record: record}
	r := bitReader{b: record, pos: 8 + 9} // what is in front of the temporal layers
	subLayers := int(r.take(3))
	r.take(2 + 2 + 3 + 5) // rate, chroma, depth
	r.take(2)
	constraints := int(r.take(6))
	c.Profile, c.HighTier, c.Level = uint8(r.take(7)), r.flag(), uint8(r.take(8))
	for range max(constraints, 1) { // two flags are there in any case
		c.Constraints = append(c.Constraints, byte(r.take(8)))
	}
	if subLayers > 1 {
		for flags := r.take(8); flags > 0; flags &= flags - 1 {
			r.take(8) // level of a temporal layer
		}
	}
	r.pos += 32 * int(r.take(8)) // sub-profiles
	c.Width, c.Height = int(r.take(16)), int(r.take(16))
	if rate := r.take(16); rate > 0 && rate/256 < maxFrameRate {
		c.FrameRate = Rational{rate, 256}
	}
	arrays := r.take(8)
	if r.past() {
		return nil, 0, fmt.Errorf("VVC configuration: %w", errShortRecord)
	}
	if c.Width == 0 || c.Height == 0 || c.Width > maxDimension || c.Height > maxDimension {
		return nil, 0, fmt.Errorf("VVC configuration: a picture of %d × %d", c.Width, c.Height)
	}
	if c.sets, err = vvcSets(record[r.pos/8:], int(arrays)); err != nil {
		return nil, 0, fmt.Errorf("VVC configuration: %w", err)
	}
	return c, lengthSize, nil
}

// vvcSets are the NAL units in so many arrays of a record.
func vvcSets(b []byte, arrays int) (sets [][]byte, err error) {
	for range arrays {
		if len(b) == 0 {
			return nil, errShortRecord
		}
		kind, count := b[0]&0x1F, 1
		if b = b[1:]; kind != vvcOperatingPoint && kind != vvcCapability {
			if len(b) < 2 {
				return nil, errShortRecord
			}
			count, b = int(b[0])<<8|int(b[1]), b[2:]
		}
		var list [][]byte
		if list, b, err = recordSets(b, count, func(nal []byte) bool { return len(nal) > 2 }); err != nil {
			return nil, err
		}
		sets = append(sets, list...)
	}
	return sets, nil
}

// with is the decoder with what SEI messages say that isn't known yet. Where they say
// nothing new, it is the decoder itself.
func (c *H266) with(h hdr) *H266 {
	p := c.Picture
	if h.tell(&p); p == c.Picture {
		return c
	}
	d := *c
	d.Picture = p
	return &d
}

// String is vvc1 with profile, tier and level, and constraints where there are any
// (ISO/IEC 14496-15, section E.6).
func (c *H266) String() string {
	tier := 'L'
	if c.HighTier {
		tier = 'H'
	}
	s := fmt.Sprintf("vvc1.%d.%c%d", c.Profile, tier, c.Level)
	if told := bytes.TrimRight(c.Constraints, "\x00"); len(told) > 0 {
		s += ".C" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(told)
	}
	return s
}

func (c *H266) kind() Kind { return Video }

func (c *H266) track() Track { return Track{Timescale: VideoTimescale, Picture: c.Picture} }

func (c *H266) equal(o Codec) bool {
	d, ok := o.(*H266)
	return ok && bytes.Equal(c.Record, d.Record) && sameValue(c.Mastering, d.Mastering) && sameValue(c.Light, d.Light)
}
