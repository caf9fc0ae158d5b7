//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

const (
	frameRate    = 30
	gop          = 60
	keyframeSize = 6 // of another frame's size
	sampleRate   = 48000
	unitSamples  = 1024
	audioBitrate = 96_000
	clipLength   = 8 * time.Second // the shortest that has whole GOPs and whole units of sound
)

// kind is how large a stream is.
type kind struct {
	bitrate int
	avc     string // AVCDecoderConfigurationRecord, by x264
}

var kinds = map[string]kind{
	"light": {800_000, "\x01\x64\x00\x1e\xff\xe1\x00\x1a" +
		"\x67\x64\x00\x1e\xac\xb2\x01\x40\x5f\xf2\xe0\x22\x00\x00\x03\x00\x02\x00\x00\x03\x00\x78\x1e\x2c\x5c\x90" +
		"\x01\x00\x06\x68\xeb\xc3\xcb\x22\xc0\xfd\xf8\xf8\x00"},
	"heavy": {6_000_000, "\x01\x64\x00\x28\xff\xe1\x00\x1b" +
		"\x67\x64\x00\x28\xac\xb2\x00\xf0\x04\x4f\xcb\x80\x88\x00\x00\x03\x00\x08\x00\x00\x03\x01\xe0\x78\xc1\x92\x40" +
		"\x01\x00\x06\x68\xeb\xc3\xcb\x22\xc0\xfd\xf8\xf8\x00"},
}

// clip is what all streams of a kind send, over and over: RTMP messages as they
// are on the wire. Their headers have differences of time only (type 1), so the
// same bytes do for every stream and every round.
type clip struct {
	config   [2]flv.Tag
	messages []message
	bytes    int
}

// message is one of the clip.
type message struct {
	at    time.Duration // since the clip's beginning
	wire  []byte
	stamp []byte // the part of wire that takes the time of sending; nil in sound
}

// stampMark stands before the time of sending in a frame.
var stampMark = []byte("\xFFsluice\xFFbench\xFF")

func newClip(name string) (*clip, error) {
	k, ok := kinds[name]
	if !ok {
		return nil, fmt.Errorf("%q is no kind of stream: light, heavy", name)
	}
	c := &clip{config: [2]flv.Tag{
		{Type: flv.TagVideo, Body: append([]byte{0x17, 0, 0, 0, 0}, k.avc...)},
		{Type: flv.TagAudio, Body: []byte{0xAF, 0, 0x11, 0x90}},
	}}
	tags := slices.Concat(videoTags(k.bitrate-audioBitrate), audioTags())
	slices.SortStableFunc(tags, func(a, b flv.Tag) int { return int(a.Timestamp) - int(b.Timestamp) })
	last := tags[len(tags)-1].Timestamp - uint32(clipLength.Milliseconds())
	for _, t := range tags {
		m := message{at: time.Duration(t.Timestamp) * time.Millisecond, wire: serialize(t, t.Timestamp-last)}
		if i := bytes.Index(m.wire, stampMark); i >= 0 {
			m.stamp = m.wire[i+len(stampMark):][:8]
		}
		last = t.Timestamp
		c.messages = append(c.messages, m)
		c.bytes += len(m.wire)
	}
	return c, nil
}

// videoTags are one NAL unit a frame, of sizes that differ by up to 30 % like an
// encoder's.
func videoTags(bitrate int) []flv.Tag {
	frames := int(clipLength.Seconds()) * frameRate
	mean := float64(bitrate) / 8 * gop / frameRate / (gop - 1 + keyframeSize)
	random := rand.New(rand.NewPCG(1, 1))
	tags := make([]flv.Tag, frames)
	for i := range tags {
		head, nal, size := byte(0x27), byte(0x41), mean*(0.7+0.6*random.Float64())
		if i%gop == 0 {
			head, nal, size = 0x17, 0x65, keyframeSize*mean
		}
		b := binary.BigEndian.AppendUint32([]byte{head, 1, 0, 0, 0}, uint32(size))
		b = append(append(b, nal), stampMark...)
		b = append(b, bytes.Repeat([]byte{0xA5}, int(size)-1-len(stampMark))...)
		tags[i] = flv.Tag{Type: flv.TagVideo, Timestamp: uint32(i * 1000 / frameRate), Body: b}
	}
	return tags
}

func audioTags() []flv.Tag {
	units := int(clipLength.Seconds()) * sampleRate / unitSamples
	body := append([]byte{0xAF, 1, 0x21}, bytes.Repeat([]byte{0xA5}, audioBitrate/8*unitSamples/sampleRate-1)...)
	tags := make([]flv.Tag, units)
	for i := range tags {
		tags[i] = flv.Tag{Type: flv.TagAudio, Timestamp: uint32(i * unitSamples * 1000 / sampleRate), Body: body}
	}
	return tags
}

// mediaStream is the chunk stream that the client's own messages are on, and
// chunkSize what it has announced: that of OBS. Both are held to it by a test.
const mediaStream, chunkSize = 4, 4096

// serialize makes a message with a header of type 1 (Adobe RTMP 1.0, section
// 5.3.1.2.2), in chunks.
func serialize(t flv.Tag, delta uint32) []byte {
	n := len(t.Body)
	b := []byte{1<<6 | mediaStream, byte(delta >> 16), byte(delta >> 8), byte(delta),
		byte(n >> 16), byte(n >> 8), byte(n), byte(t.Type)}
	for part := range slices.Chunk(t.Body, chunkSize) {
		if len(b) > 8 {
			b = append(b, 3<<6|mediaStream)
		}
		b = append(b, part...)
	}
	return b
}
