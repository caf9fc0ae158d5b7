package remux

import "errors"

// MP3 is a configured decoder of MPEG-1 or MPEG-2 audio, layer III.
type MP3 struct {
	Sound
	MPEG1        bool // else MPEG-2, with half the rates, or MPEG-2.5
	FrameSamples int

	silent []byte
}

// String names it by its object type in MPEG-4, which is how Apple does.
func (c *MP3) String() string { return "mp4a.40.34" }

func (c *MP3) kind() Kind { return Audio }

func (c *MP3) track() Track {
	unit := uint32(c.FrameSamples)
	return Track{Timescale: uint32(c.SampleRate), Sound: c.Sound, Silence: c.silent, SilenceDuration: unit, UnitDuration: unit}
}

func (c *MP3) equal(o Codec) bool {
	d, ok := o.(*MP3)
	return ok && c.Sound == d.Sound && c.MPEG1 == d.MPEG1
}

// mp3Header is what the header of a frame says (ISO/IEC 11172-3, section 2.4.1.3;
// MPEG-2.5 is an extension for the lowest rates).
type mp3Header struct {
	version  byte // 3 MPEG-1, 2 MPEG-2, 0 MPEG-2.5
	rate     byte // index
	channels int
	bitrate  int // bit/s
	padded   bool
}

var (
	errMP3Frame = errors.New("an MP3 frame that doesn't begin with a header")
	errMP3Short = errors.New("an MP3 frame is cut short")
)

// mp3Bitrates are those by index, in kbit/s: of MPEG-1 and of the others.
var mp3Bitrates = [2][15]int{
	{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}

func isMP3(b []byte) bool { return len(b) >= 4 && b[0] == 0xFF && b[1]&0xE0 == 0xE0 }

func parseMP3Header(b []byte) (h mp3Header, err error) {
	if !isMP3(b) {
		return h, errMP3Frame
	}
	layer, bitrate := b[1]>>1&3, b[2]>>4
	h.version, h.rate, h.padded = b[1]>>3&3, b[2]>>2&3, b[2]>>1&1 == 1
	if h.channels = 2; b[3]>>6 == 3 {
		h.channels = 1
	}
	switch {
	case h.version == 1, h.rate == 3, layer == 0, bitrate == 0, bitrate == 15: // among them the free format
		return h, errMP3Frame
	case layer != 1:
		return h, errMPEGLayer
	}
	table := 0
	if h.version != 3 {
		table = 1
	}
	h.bitrate = mp3Bitrates[table][bitrate] * 1000
	return h, nil
}

func (h mp3Header) sampleRate() int {
	rate := [...]int{44100, 48000, 32000}[h.rate]
	switch h.version {
	case 2:
		return rate / 2
	case 0:
		return rate / 4
	}
	return rate
}

func (h mp3Header) samples() int {
	if h.version == 3 {
		return 1152
	}
	return 576
}

// size is that of the frame in bytes.
func (h mp3Header) size() int {
	n := h.samples() / 8 * h.bitrate / h.sampleRate()
	if h.padded {
		n++
	}
	return n
}

func (h mp3Header) sameDecoder(o mp3Header) bool {
	return h.version == o.version && h.rate == o.rate && h.channels == o.channels
}

func (h mp3Header) codec() *MP3 {
	return &MP3{
		Sound: Sound{SampleRate: h.sampleRate(), Channels: h.channels, Layout: h.channels},
		MPEG1: h.version == 3, FrameSamples: h.samples(), silent: h.silence(),
	}
}

// silence is a frame of the lowest bit rate in which nothing is heard: no granule of it
// has any bits, and it takes none from the frames before.
func (h mp3Header) silence() []byte {
	const noCRC, lowest = 1, 1 << 4
	mode := byte(0)
	if h.channels == 1 {
		mode = 3 << 6
	}
	b := []byte{0xFF, 0xE0 | h.version<<3 | 1<<1 | noCRC, lowest | h.rate<<2, mode}
	low, _ := parseMP3Header(b)
	return append(b, make([]byte, low.size()-len(b))...)
}

// mp3Frames is MP3 as FLV carries it: whole frames, each of which says what it is.
type mp3Frames struct {
	header  mp3Header // that the decoder was taken from
	decoder *MP3      // nil before the first frame
	unit    unit      // that next returned
}

func newMP3Frames() bitstream { return new(mp3Frames) }

func (m *mp3Frames) codec() Codec {
	if m.decoder == nil {
		return nil
	}
	return m.decoder
}

func (m *mp3Frames) configure([]byte) (bitstream, error) { return m, nil }

func (m *mp3Frames) peek(data []byte) (gop int, err error) {
	if h, err := parseMP3Header(data); err == nil {
		m.hear(h)
	}
	return 0, nil
}

func (m *mp3Frames) hear(h mp3Header) {
	if m.decoder == nil || !m.header.sameDecoder(h) {
		m.header, m.decoder = h, h.codec()
	}
}

func (m *mp3Frames) next(data []byte, _ bool) (u *unit, rest []byte, err error) {
	h, err := parseMP3Header(data)
	if err != nil {
		return nil, nil, err
	}
	size := h.size()
	if size > len(data) {
		return nil, nil, errMP3Short
	}
	if rest = data[size:]; !isMP3(rest) {
		rest = nil // padding, or a tag of a file
	}
	m.hear(h)
	m.unit = unit{data: data[:size:size], sync: true, samples: h.samples(), odd: errMP3}
	return &m.unit, rest, nil
}
