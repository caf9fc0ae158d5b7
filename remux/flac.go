package remux

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// FLAC is a configured FLAC decoder (RFC 9639).
type FLAC struct {
	Sound
	BitsPerSample int

	// StreamInfo is the metadata block without its header, less what is true of a file
	// alone. It must not be modified.
	StreamInfo []byte

	least, most int // samples of a block
	silent      []byte
}

const (
	streamInfoSize = 34
	leastFLACBlock = 16 // samples
	mostFLACBlock  = 1<<16 - 1
)

// flacLayouts are the layouts of so many channels (RFC 9639, table 12) by ISO/IEC
// 23091-3.
var flacLayouts = [9]int{1: 1, 2: 2, 3: 3, 4: 10, 5: 5, 6: 6, 7: 11, 8: 12}

// newFLAC reads a STREAMINFO block: with "fLaC" in front of its header, as Enhanced
// RTMP wants it, or bare, as ffmpeg sends it.
func newFLAC(b []byte) (*FLAC, error) {
	header := []byte{0, 0, 0, streamInfoSize}
	b = bytes.TrimPrefix(b, []byte("fLaC"))
	if len(b) >= len(header)+streamInfoSize && b[0]&0x7F == 0 && bytes.Equal(b[1:4], header[1:]) {
		b = b[len(header):]
	}
	if len(b) < streamInfoSize {
		return nil, fmt.Errorf("FLAC configuration: %d bytes", len(b))
	}
	r := bitReader{b: b[:streamInfoSize]}
	c := &FLAC{least: int(r.take(16)), most: int(r.take(16))}
	r.take(24) // frame sizes
	r.take(24)
	c.SampleRate = int(r.take(20))
	c.Channels = 1 + int(r.take(3))
	c.BitsPerSample = 1 + int(r.take(5))
	if !c.exists() {
		return nil, fmt.Errorf("FLAC configuration: blocks of %d to %d samples of %d bits, %d Hz", c.least, c.most, c.BitsPerSample, c.SampleRate)
	}
	return c.complete(), nil
}

// exists tells whether such a stream can be. A block may last a second: no part is
// shorter than one.
func (c *FLAC) exists() bool {
	const leastRate, mostRate, leastBits = 1000, 384_000, 4
	return c.SampleRate >= leastRate && c.SampleRate <= mostRate && c.BitsPerSample >= leastBits &&
		c.least >= leastFLACBlock && c.most >= c.least && (c.least < c.most || c.most <= c.SampleRate)
}

// complete fills in what follows from the rest.
func (c *FLAC) complete() *FLAC {
	c.Layout = flacLayouts[c.Channels]
	var w bitWriter
	w.put(uint32(c.least), 16)
	w.put(uint32(c.most), 16)
	w.put(0, 24) // frame sizes, the number of samples and their checksum: unknown
	w.put(0, 24)
	w.put(uint32(c.SampleRate), 20)
	w.put(uint32(c.Channels-1), 3)
	w.put(uint32(c.BitsPerSample-1), 5)
	w.put(0, 4)
	c.StreamInfo = append(w.b, make([]byte, streamInfoSize-len(w.b))...)
	c.silent = c.silence()
	return c
}

// String is what MP4's registration authority lists.
func (c *FLAC) String() string { return "fLaC" }

func (c *FLAC) kind() Kind { return Audio }

func (c *FLAC) track() Track {
	t := Track{
		Timescale: uint32(c.SampleRate), Sound: c.Sound,
		Silence: c.silent, SilenceDuration: uint32(c.silentBlock()),
	}
	if c.least == c.most {
		t.UnitDuration = uint32(c.most)
	}
	return t
}

func (c *FLAC) equal(o Codec) bool {
	d, ok := o.(*FLAC)
	return ok && bytes.Equal(c.StreamInfo, d.StreamInfo)
}

// mostBytes is how many a frame may have: samples as they are, and what is around them.
func (c *FLAC) mostBytes() int {
	const header, footer = 16, 2
	return header + footer + c.Channels*(2+((c.BitsPerSample+1)*c.most+7)/8)
}

// silentBlock is how long a frame of silence lasts, in samples. It is shorter than
// most encoders' are, so that what it fills is filled to the ear.
func (c *FLAC) silentBlock() int { return min(c.most, 1024) }

// silence is a frame of blocks that are 0 throughout. It always has the number 0:
// decoders of MP4 go by its time, and the numbers of encoders begin anew themselves.
func (c *FLAC) silence() []byte {
	const sizeBehind = 7 // the block size is at the header's end, in 16 bits
	b := []byte{0xFF, 0xF8, sizeBehind << 4, byte(c.Channels-1) << 4, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(c.silentBlock()-1))
	b = append(b, flacCRC8(b))
	w := bitWriter{b: b}
	for range c.Channels {
		w.put(0, 8) // SUBFRAME_CONSTANT
		w.put(0, c.BitsPerSample)
	}
	return binary.BigEndian.AppendUint16(w.b, flacCRC16(w.b))
}

// flacHeader is a frame header (RFC 9639, section 9.1). What it leaves to STREAMINFO
// is 0.
type flacHeader struct {
	variable bool // blocks are not all as long
	samples  int
	rate     int
	channels int
	bits     int
}

var errFLACFrame = errors.New("a FLAC frame that doesn't begin with a header")

func parseFLACHeader(b []byte) (h flacHeader, err error) {
	r := bitReader{b: b}
	if r.take(14) != 0x3FFE || r.take(1) != 0 {
		return h, errFLACFrame
	}
	h.variable = r.flag()
	size, rate, channels, bits := r.take(4), r.take(4), int(r.take(4)), r.take(3)
	if r.take(1) != 0 || size == 0 || rate == 15 || channels > 10 || bits == 3 {
		return h, errFLACFrame
	}
	if h.channels = channels + 1; channels > 7 {
		h.channels = 2
	}
	h.bits = [8]int{1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}[bits]
	for first := r.take(8); first&0xC0 == 0xC0; first = first << 1 & 0xFF { // the number, as UTF-8 would have it
		r.take(8)
	}
	switch {
	case size == 1:
		h.samples = 192
	case size < 6:
		h.samples = 576 << (size - 2)
	case size == 6:
		h.samples = int(r.take(8)) + 1
	case size == 7:
		h.samples = int(r.take(16)) + 1
	default:
		h.samples = 256 << (size - 8)
	}
	switch {
	case rate < 12:
		h.rate = [...]int{0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000}[rate]
	case rate == 12:
		h.rate = int(r.take(8)) * 1000
	case rate == 13:
		h.rate = int(r.take(16))
	default:
		h.rate = int(r.take(16)) * 10
	}
	end := r.pos / 8
	if r.take(8); r.past() || flacCRC8(b[:end]) != b[end] || h.samples > mostFLACBlock {
		return h, errFLACFrame
	}
	return h, nil
}

// fits tells whether a frame can be one of the stream that a decoder is for.
func (c *FLAC) fits(h flacHeader) bool {
	return h.channels == c.Channels && h.samples <= c.most &&
		(h.rate == 0 || h.rate == c.SampleRate) && (h.bits == 0 || h.bits == c.BitsPerSample)
}

// alike tells whether another frame is of the same format.
func (h flacHeader) alike(o flacHeader) bool {
	return h.variable == o.variable && h.rate == o.rate && h.channels == o.channels && h.bits == o.bits
}

// codec is the decoder by what a frame says of itself; nil where that isn't all.
func (h flacHeader) codec() *FLAC {
	if h.rate == 0 || h.bits == 0 {
		return nil
	}
	c := &FLAC{Sound: Sound{SampleRate: h.rate, Channels: h.channels}, BitsPerSample: h.bits, least: h.samples, most: h.samples}
	if h.variable {
		c.least, c.most = leastFLACBlock, mostFLACBlock
	}
	if !c.exists() {
		return nil
	}
	return c.complete()
}

// flacFrames is FLAC as Enhanced RTMP carries it: a frame in each message.
type flacFrames struct {
	decoder *FLAC      // nil before there is one
	told    bool       // by a configuration; else by a frame
	odd     flacHeader // of the newest frame that was of another format; zero where the one behind it wasn't
	unit    unit       // that next returned
}

func newFLACFrames() bitstream { return new(flacFrames) }

func (f *flacFrames) codec() Codec {
	if f.decoder == nil {
		return nil
	}
	return f.decoder
}

func (f *flacFrames) configure(record []byte) (bitstream, error) {
	if len(record) == 0 {
		return f, nil // frames say it
	}
	d, err := newFLAC(record)
	if err != nil {
		return f, err
	}
	if f.decoder != nil && f.decoder.equal(d) {
		f.told = true
		return f, nil
	}
	return &flacFrames{decoder: d, told: true}, nil
}

func (f *flacFrames) peek(data []byte) (gop int, err error) {
	if h, err := parseFLACHeader(data); err == nil {
		f.hear(h)
	}
	return 0, nil
}

// hear takes the configuration from a frame, where no other was sent.
func (f *flacFrames) hear(h flacHeader) {
	if f.told || f.decoder != nil && f.decoder.fits(h) {
		return
	}
	if d := h.codec(); d != nil {
		f.decoder = d
	}
}

var errFLACFormat = errors.New("a FLAC frame of another format than its configuration")

func (f *flacFrames) next(data []byte, _ bool) (u *unit, rest []byte, err error) {
	h, err := parseFLACHeader(data)
	if err != nil {
		return nil, nil, err
	}
	f.hear(h)
	if f.decoder != nil && !f.decoder.fits(h) && h.alike(f.odd) { // it was told, and holds no more
		f.told = false
		f.hear(h)
	}
	f.odd = flacHeader{}
	f.unit = unit{data: data, sync: true, samples: h.samples}
	switch {
	case f.decoder == nil:
	case !f.decoder.fits(h):
		f.odd = h
		return nil, nil, errFLACFormat
	case len(data) > f.decoder.mostBytes():
		return nil, nil, errLargeUnit
	}
	return &f.unit, nil, nil
}

// flacCRC8 is the checksum of a frame header (polynomial 0x07).
func flacCRC8(b []byte) (crc uint8) {
	for _, c := range b {
		crc ^= c
		for range 8 {
			carry := crc >> 7
			crc = crc<<1 ^ carry*0x07
		}
	}
	return crc
}

// flacCRC16 is that of a frame (polynomial 0x8005).
func flacCRC16(b []byte) (crc uint16) {
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			carry := crc >> 15
			crc = crc<<1 ^ carry*0x8005
		}
	}
	return crc
}
