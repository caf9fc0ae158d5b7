package remux

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/sluice-live/sluice/ingest/flv"
)

// codecs are those that are taken. One more is a line here, a file of its own, and a
// case in packager/cmaf.
var codecs = map[flv.FourCC]func() bitstream{
	flv.AVC1: newAVC,
	flv.HVC1: newHEVC,
	flv.VVC1: newVVC,
	flv.AV01: newAV1Units,
	flv.VP09: newVP9,
	flv.VP08: newVP8,
	flv.MP4A: newAACFrames,
	flv.Opus: newOpusPackets,
	flv.FLAC: newFLACFrames,
	flv.MP3:  newMP3Frames,
	flv.AC3:  newAC3Frames,
	flv.EC3:  newAC3Frames,
}

// Codecs returns those that are taken, those of pictures first.
func Codecs() []flv.FourCC {
	return slices.SortedFunc(maps.Keys(codecs), func(a, b flv.FourCC) int {
		return cmp.Or(cmp.Compare(a.Kind(), b.Kind()), cmp.Compare(a, b))
	})
}

// bitstream reads what an encoder sends of one track: the seam of a codec.
type bitstream interface {
	// codec is the decoder of what comes from the next place on where decoding can
	// start; nil before there is one.
	codec() Codec

	// configure takes a configuration, and returns the bitstream that reads the
	// frames behind it: itself where it says nothing new. Frames that wait are read
	// by the old one. An error tells what of it can't be used, and may come with
	// another bitstream. The record is borrowed.
	configure(record []byte) (bitstream, error)

	// peek takes the configuration that a frame has in band, as if decoding started
	// there. gop is how many frames keyframes are apart at most, 0 where the encoder
	// doesn't tell. An error is about that configuration: what is wrong with the
	// frame is for next to say.
	peek(data []byte) (gop int, err error)

	// next takes the first access unit of a frame that the encoder calls a keyframe,
	// or not; rest is what comes behind it. An error with a unit is about its
	// configuration in band; without one there is nothing to write. The unit is
	// borrowed until the next call.
	next(data []byte, keyframe bool) (u *unit, rest []byte, err error)
}

// channelled is a bitstream whose configuration may leave out how many channels there
// are: Enhanced RTMP has a packet that says it.
type channelled interface {
	// channels is configure for such a packet.
	channels(record []byte) (bitstream, error)
}

// unit is an access unit as samples have it.
type unit struct {
	data     []byte
	sync     bool // decoding can start here
	openGOP  bool // … but units behind it that are shown before it need what was before
	samples  int  // that it lasts, of sound
	captions Captions
	odd      error // what browsers make of it; nil where they play it
}

var errLargeUnit = errors.New("an access unit is larger than its codec allows")

// newCodec is the bitstream of a codec, nil where that isn't taken.
func newCodec(f flv.FourCC) bitstream {
	if n := codecs[f]; n != nil {
		return n()
	}
	return nil
}
