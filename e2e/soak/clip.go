package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/sluice-live/sluice/ingest/flv"
)

// A frame lasts 100/3 ms, a unit of sound 64/3 ms.
const (
	framesPerSecond = 30
	gop             = 60
	sampleRate      = 48000
	audioBitrate    = 96_000

	video, audio = 0, 1
)

// unit names an access unit: the index-th of a track of a publisher's session.
type unit struct{ publisher, session, track, index int }

func (u unit) String() string {
	return fmt.Sprintf("unit %d of track %d, session %d of s%d", u.index, u.track, u.session, u.publisher)
}

// marker stands before a unit's name in its payload; it is as long as the UUID
// of an SEI message.
var marker = []byte("sluice-soak-unit")

const nameSize = 4 + 4 + 1 + 8

func (u unit) append(b []byte) []byte {
	return fmt.Appendf(append(b, marker...), "%04x%04x%x%08x", u.publisher, u.session, u.track, u.index)
}

// lastUnit finds the last unit that is named in b.
func lastUnit(b []byte) (u unit, ok bool) {
	i := bytes.LastIndex(b, marker)
	if i < 0 || len(b)-i < len(marker)+nameSize {
		return unit{}, false
	}
	name := string(b[i+len(marker):][:nameSize])
	number := func(from, to int) int {
		n, err := strconv.ParseUint(name[from:to], 16, 32)
		ok = ok && err == nil
		return int(n)
	}
	ok = true
	u = unit{number(0, 4), number(4, 8), number(8, 9), number(9, 17)}
	return u, ok
}

// The decoders: 960 × 540, stereo.
var (
	sps = []byte("\x67\x64\x00\x28\xac\x76\x11\x03\xc0\x45\xfb\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\xc6\x11\x80")
	pps = []byte("\x68\xe8\x43\x9c\xb2\x2c")
)

// silence is an access unit of such sound without any spectral data (ISO/IEC 14496-3, table
// 4.5): where a connection breaks that has brought a keyframe, and no sound behind it yet, the
// sound gets its segment of that number by a unit of silence.
var silence = []byte{0x21, 0x00, 0x03, 0x20, 0x64, 0x1C}

func configs() [2]flv.Tag {
	record := []byte{0x17, 0, 0, 0, 0, 1, sps[1], sps[2], sps[3], 0xFF, 0xE1, 0, byte(len(sps))}
	record = append(append(record, sps...), 1, 0, byte(len(pps)))
	return [2]flv.Tag{
		{Type: flv.TagVideo, Body: append(record, pps...)},
		{Type: flv.TagAudio, Body: []byte{0xAF, 0, 0x11, 0x90}},
	}
}

// clip makes tags into one buffer: a publication costs this process little.
type clip struct {
	body   []byte
	filler []byte
	sizes  [2]int // of a keyframe and of another frame
	sound  int
}

func newClip(bitrate int) *clip {
	// A keyframe is as large as six others.
	size := max(64, bitrate/8*gop/framesPerSecond/(gop+5))
	c := &clip{sizes: [2]int{6 * size, size}, sound: audioBitrate / 8 * 1024 / sampleRate}
	c.filler = bytes.Repeat([]byte{0xA5}, 6*size)
	return c
}

// payload is an access unit as MP4 stores it; it is the same each time.
func (c *clip) payload(b []byte, u unit) []byte {
	if u.track == audio {
		b = u.append(append(b, 0x21))
		return append(b, c.filler[:max(0, c.sound-len(marker)-nameSize)]...)
	}
	const sei = 2 + nameSize + len("sluice-soak-unit") + 1 + 1
	b = binary.BigEndian.AppendUint32(b, uint32(sei))
	b = append(b, 6, 5, byte(len(marker)+nameSize))
	b = append(u.append(b), 0x80)
	kind, size := byte(0x41), c.sizes[1]
	if u.index%gop == 0 {
		kind, size = 0x65, c.sizes[0]
	}
	b = binary.BigEndian.AppendUint32(b, uint32(size+1))
	return append(append(b, kind), c.filler[:size]...)
}

// tag is valid until the next one.
func (c *clip) tag(u unit, timestamp uint32) flv.Tag {
	if u.track == audio {
		c.body = c.payload(append(c.body[:0], 0xAF, 1), u)
		return flv.Tag{Type: flv.TagAudio, Timestamp: timestamp, Body: c.body}
	}
	head := byte(0x27)
	if u.index%gop == 0 {
		head = 0x17
	}
	c.body = c.payload(append(c.body[:0], head, 1, 0, 0, 0), u)
	return flv.Tag{Type: flv.TagVideo, Timestamp: timestamp, Body: c.body}
}

// at is when a unit of a session is taken, in ms since its beginning.
func (u unit) at() uint32 {
	if u.track == audio {
		return uint32(u.index * 1024 * 1000 / sampleRate)
	}
	return uint32(u.index * 1000 / framesPerSecond)
}
