package main

import (
	"slices"

	"github.com/sluice-live/sluice/ingest/flv"
)

// frame is what a tag has of one track: enough for the layouts that ffmpeg sends.
type frame struct {
	timestamp   uint32
	video       bool
	track       byte
	fourCC      string
	key         byte // frame type: 1 key, 2 inter
	packet      byte // 0 configuration, 1 frames, 2 end, 4 channels (audio) or metadata (video)
	composition []byte
	data        []byte
}

// The packet types of Enhanced RTMP.
const (
	config     = 0
	coded      = 1
	end        = 2
	codedNoCTS = 3
	multiAudio = 5
	multiVideo = 6
	modExType  = 7
)

// parse reads a tag; ok is false for one that is left as it is.
func parse(tag flv.Tag) (f frame, ok bool) {
	b := tag.Body
	f = frame{timestamp: tag.Timestamp, video: tag.Type == flv.TagVideo, composition: []byte{0, 0, 0}}
	switch {
	case tag.Type == flv.TagScript || len(b) < 5:
		return f, false
	case f.video && b[0]&0x80 == 0:
		if b[0]&15 != 7 {
			return f, false
		}
		f.key, f.fourCC, f.packet, f.composition, f.data = b[0]>>4, "avc1", b[1], b[2:5], b[5:]
		return f, true
	case !f.video && b[0]>>4 != 9:
		switch b[0] >> 4 {
		case 10:
			f.fourCC, f.packet, f.data = "mp4a", b[1], b[2:]
		case 2:
			f.fourCC, f.packet, f.data = ".mp3", coded, b[1:]
		default:
			return f, false
		}
		return f, true
	}
	f.key, f.packet = b[0]>>4&7, b[0]&15
	b = b[1:]
	if multi := map[bool]byte{true: multiVideo, false: multiAudio}[f.video]; f.packet == multi {
		f.packet, f.fourCC, f.track, b = b[0]&15, string(b[1:5]), b[5], b[6:]
	} else {
		f.fourCC, b = string(b[:4]), b[4:]
	}
	if f.hasCTS() && f.packet == coded {
		f.composition, b = b[:3], b[3:]
	}
	if f.packet == codedNoCTS && f.video {
		f.packet = coded
	}
	f.data = b
	return f, true
}

func (f frame) hasCTS() bool {
	return f.video && slices.Contains([]string{"avc1", "hvc1", "vvc1"}, f.fourCC)
}

// body is what follows the FourCC.
func (f frame) body() []byte {
	if f.hasCTS() && f.packet == coded {
		return slices.Concat(f.composition, f.data)
	}
	return f.data
}

// first is the first byte of a tag in Enhanced RTMP.
func (f frame) first(packet byte) byte {
	if f.video {
		return 0x80 | f.key<<4 | packet
	}
	return 9<<4 | packet
}

func (f frame) tag(body ...[]byte) flv.Tag {
	t := flv.Tag{Type: flv.TagAudio, Timestamp: f.timestamp, Body: slices.Concat(body...)}
	if f.video {
		t.Type = flv.TagVideo
	}
	return t
}

// plain is the layout of one track by FourCC.
func (f frame) plain() flv.Tag {
	return f.tag([]byte{f.first(f.packet)}, []byte(f.fourCC), f.body())
}

// The ways to have several tracks in a message.
const (
	oneTrack   = 0
	manyTracks = 1
	manyCodecs = 2
)

// multi is one message of several tracks.
func (f frame) multi(how byte, tracks ...frame) flv.Tag {
	kind := byte(multiAudio)
	if f.video {
		kind = multiVideo
	}
	body := []byte{f.first(kind), how<<4 | f.packet}
	if how != manyCodecs {
		body = append(body, f.fourCC...)
	}
	for _, t := range tracks {
		if how == manyCodecs {
			body = append(body, t.fourCC...)
		}
		body = append(body, t.track)
		if n := len(t.body()); how != oneTrack {
			body = append(body, byte(n>>16), byte(n>>8), byte(n))
		}
		body = append(body, t.body()...)
	}
	return f.tag(body)
}
