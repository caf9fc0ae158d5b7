package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Opus is a configured Opus decoder: what its identification header says (RFC 7845,
// section 5.1).
type Opus struct {
	Sound
	PreSkip int    // samples that the decoder needs before it is in step with the encoder
	Gain    int16  // Q7.8 dB
	Family  uint8  // channel mapping family
	Streams int    // in each packet
	Coupled int    // of them are stereo, the first ones
	Mapping []byte // of channels to what the streams have; nil in family 0; must not be modified

	samples int // that the first packet lasts
	silent  []byte
}

// opusRate is the rate of all that comes out of an Opus decoder, in Hz.
const opusRate = 48000

// mostOpusPacket is the longest packet, in samples (RFC 6716, section 3.2.5).
const mostOpusPacket = opusRate * 120 / 1000

const (
	opusMono     = 0 // or stereo
	opusSurround = 1 // channels in Vorbis's order
	opusDiscrete = 255
)

// opusLayouts are the layouts of family 1 (RFC 7845, section 5.1.1.2), by channels.
var opusLayouts = [...]struct {
	streams, coupled int
	mapping          string
	number           int // ISO/IEC 23091-3, ChannelConfiguration
}{
	1: {1, 0, "\x00", 1},
	2: {1, 1, "\x00\x01", 2},
	3: {2, 1, "\x00\x02\x01", 3},
	4: {2, 2, "\x00\x01\x02\x03", 10},
	5: {3, 2, "\x00\x04\x01\x02\x03", 5},
	6: {4, 2, "\x00\x04\x01\x02\x03\x05", 6},
	7: {4, 3, "\x00\x04\x01\x02\x03\x05\x06", 11},
	8: {5, 3, "\x00\x06\x01\x02\x03\x04\x05\x07", 12},
}

// newOpus reads an identification header.
func newOpus(b []byte) (*Opus, error) {
	const magic, size = "OpusHead", 19
	if len(b) < size || string(b[:8]) != magic {
		return nil, errors.New("Opus configuration: no identification header")
	}
	if b[8]>>4 != 0 {
		return nil, fmt.Errorf("Opus configuration: version %d", b[8])
	}
	c := &Opus{
		Sound:   Sound{SampleRate: opusRate, Channels: int(b[9])},
		PreSkip: int(binary.LittleEndian.Uint16(b[10:])),
		Gain:    int16(binary.LittleEndian.Uint16(b[16:])),
		Family:  b[18],
		Streams: 1, Coupled: int(b[9]) - 1,
	}
	switch c.Family {
	case opusMono:
		if c.Channels < 1 || c.Channels > 2 {
			return nil, fmt.Errorf("Opus configuration: %d channels", c.Channels)
		}
		c.Layout = c.Channels
		return c, nil
	case opusSurround, opusDiscrete:
	default: // ambisonics
		return nil, errOpusChannels
	}
	switch {
	case c.Channels >= len(opusLayouts):
		return nil, errOpusChannels
	case c.Channels < 1, len(b) < size+2+c.Channels:
		return nil, fmt.Errorf("Opus configuration: %d channels in %d bytes", c.Channels, len(b))
	}
	c.Streams, c.Coupled = int(b[19]), int(b[20])
	c.Mapping = bytes.Clone(b[21:][:c.Channels])
	coded := c.Streams + c.Coupled
	if c.Streams < 1 || c.Coupled > c.Streams || coded > 255 ||
		slices.ContainsFunc(c.Mapping, func(i byte) bool { return int(i) >= coded && i != 255 }) {
		return nil, fmt.Errorf("Opus configuration: %d streams, %d of them stereo, as %v", c.Streams, c.Coupled, c.Mapping)
	}
	if c.Family == opusSurround {
		c.Layout = opusLayouts[c.Channels].number
	}
	return c, nil
}

// usualOpus is the decoder of streams that have no identification header, by how many
// channels there are.
func usualOpus(channels int) (*Opus, error) {
	if channels < 1 || channels >= len(opusLayouts) {
		return nil, fmt.Errorf("Opus of %d channels", channels)
	}
	l := opusLayouts[channels]
	c := &Opus{
		Sound:   Sound{SampleRate: opusRate, Channels: channels, Layout: l.number},
		Streams: l.streams, Coupled: l.coupled,
	}
	if channels > 2 {
		c.Family, c.Mapping = opusSurround, []byte(l.mapping)
	}
	return c, nil
}

// String is what MP4's registration authority lists, as RFC 6381 wants it; browsers
// take it beside their own "opus".
func (c *Opus) String() string { return "Opus" }

func (c *Opus) kind() Kind { return Audio }

func (c *Opus) track() Track {
	return Track{
		Timescale: opusRate, Sound: c.Sound,
		Silence: c.silent, SilenceDuration: opusSilence, UnitDuration: uint32(c.samples),
	}
}

func (c *Opus) equal(o Codec) bool {
	d, ok := o.(*Opus)
	return ok && c.Sound == d.Sound && c.PreSkip == d.PreSkip && c.Gain == d.Gain &&
		c.Family == d.Family && c.Streams == d.Streams && c.Coupled == d.Coupled && bytes.Equal(c.Mapping, d.Mapping)
}

// most is how many bytes a packet may have: each stream has 48 frames of 1275 bytes and
// their lengths (RFC 6716, section 3.4).
func (c *Opus) most() int { return c.Streams * (48*(1275+2) + 4) }

// opusSamples is how long a packet lasts (RFC 6716, section 3.1), in samples. All
// streams of a packet last as long as the first, which this reads.
func opusSamples(packet []byte) (int, error) {
	if len(packet) == 0 {
		return 0, errOpusPacket
	}
	frame := opusFrame(packet[0] >> 3)
	n := 1
	switch packet[0] & 3 {
	case 1, 2:
		n = 2
	case 3:
		if len(packet) < 2 {
			return 0, errOpusPacket
		}
		n = int(packet[1] & 0x3F)
	}
	if n == 0 || n*frame > mostOpusPacket {
		return 0, errOpusPacket
	}
	return n * frame, nil
}

var errOpusPacket = errors.New("an Opus packet that is none")

// opusFrame is how long a frame of a configuration lasts, in samples (table 2).
func opusFrame(config byte) int {
	const ms = opusRate / 1000
	switch {
	case config < 12: // SILK
		return [...]int{10, 20, 40, 60}[config&3] * ms
	case config < 16: // hybrid
		return [...]int{10, 20}[config&1] * ms
	}
	return [...]int{120, 240, 480, 960}[config&3] // CELT
}

// opusSilence is how long a packet of silence lasts, in samples: 10 ms, so that what it
// fills is filled to the ear.
const opusSilence = 480

// silence is a packet in which nothing is heard: a frame of CELT in each stream, which
// begins with the flag that says so (RFC 6716, section 4.3). A decoder that was in
// another mode changes over as it does in any stream.
func (c *Opus) silence() []byte {
	const fullBand, stereo = 30 << 3, 1 << 2 // of 10 ms
	var b []byte
	for stream := range c.Streams {
		toc := byte(fullBand)
		if stream < c.Coupled {
			toc |= stereo
		}
		b = append(b, toc)
		if stream < c.Streams-1 { // its length: self-delimiting framing (appendix B)
			b = append(b, 2)
		}
		b = append(b, 0xFF, 0xFE)
	}
	return b
}

// opusPackets is Opus as Enhanced RTMP carries it: a packet in each frame, behind an
// identification header, or behind none.
type opusPackets struct {
	head    *Opus // what is known before the first packet; nil where that can't be decoded
	told    bool  // … by an identification header
	decoder *Opus // nil before the first packet
	unit    unit  // that next returned
}

func newOpusPackets() bitstream {
	head, _ := usualOpus(2)
	return &opusPackets{head: head}
}

func (o *opusPackets) codec() Codec {
	if o.decoder == nil {
		return nil
	}
	return o.decoder
}

func (o *opusPackets) configure(record []byte) (bitstream, error) {
	if len(record) == 0 {
		return o, nil // packets say the rest
	}
	head, err := newOpus(record)
	if err != nil {
		if o.decoder == nil { // the usual one would make noise of its packets
			o.head, o.told = nil, true
		}
		return o, err
	}
	return o.use(head, true), nil
}

// channels takes how many channels there are where no identification header says it:
// they lie in Vorbis's order then (Enhanced RTMP v2, "Enhanced Audio").
func (o *opusPackets) channels(record []byte) (bitstream, error) {
	if o.told || len(record) < 2 {
		return o, nil
	}
	head, err := usualOpus(int(record[1]))
	if err != nil {
		return o, err
	}
	return o.use(head, false), nil
}

func (o *opusPackets) use(head *Opus, told bool) bitstream {
	if o.head != nil && o.head.equal(head) {
		o.told = o.told || told
		return o
	}
	return &opusPackets{head: head, told: told}
}

func (o *opusPackets) peek(data []byte) (gop int, err error) {
	if samples, err := opusSamples(data); err == nil {
		o.begin(samples)
	}
	return 0, nil
}

// begin makes the decoder, at the first packet: that tells how long all of them last, as
// encoders go.
func (o *opusPackets) begin(samples int) {
	if o.decoder == nil && o.head != nil {
		d := *o.head
		d.samples, d.silent = samples, d.silence()
		o.decoder = &d
	}
}

func (o *opusPackets) next(data []byte, _ bool) (u *unit, rest []byte, err error) {
	samples, err := opusSamples(data)
	if err != nil {
		return nil, nil, err
	}
	if o.head != nil && len(data) > o.head.most() {
		return nil, nil, errLargeUnit
	}
	o.begin(samples)
	o.unit = unit{data: data, sync: true, samples: samples}
	return &o.unit, nil, nil
}
