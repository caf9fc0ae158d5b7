package remux

import "encoding/gob"

// A Track goes from one process to another as gob writes it: what decoders are configured
// with, and what all say of themselves. What only a reader of frames knows stays behind.
func init() {
	for _, c := range []Codec{
		new(H264), new(H265), new(H266), new(AV1), new(VPX), new(AAC), new(Opus), new(FLAC), new(MP3), new(AC3),
	} {
		gob.Register(c)
	}
}

// Received returns a track that gob has read, whole again.
func Received(t Track) Track {
	if t.Codec != nil {
		t.kind = t.Codec.kind()
	}
	return t
}
