// Package remux turns FLV tags into tracks and samples on one clean timeline.
package remux

import "time"

// Kind tells video from audio.
type Kind uint8

// The kinds of tracks.
const (
	Video Kind = iota
	Audio
)

func (k Kind) String() string {
	if k == Video {
		return "video"
	}
	return "audio"
}

// Track describes the samples of one elementary stream.
type Track struct {
	Codec     Codec
	Timescale uint32 // ticks per second of this track's samples

	// Silence is an access unit of silence, nil where the track can have none, and
	// UnitDuration is how long it lasts, in ticks. It must not be modified.
	Silence      []byte
	UnitDuration uint32

	Bitrate int // bit/s as the encoder's metadata says, 0 when it doesn't

	// KeyframeInterval is how far keyframes are apart at most, as far as the
	// encoder tells before the second one comes; 0 when it doesn't.
	KeyframeInterval time.Duration
}

// Same tells whether both are decoded with one configuration.
func (t Track) Same(o Track) bool { return t.Timescale == o.Timescale && t.Codec.equal(o.Codec) }

// Kind tells video from audio.
func (t Track) Kind() Kind { return t.Codec.kind() }

// Sample is one access unit on the timeline.
type Sample struct {
	Track int // index into the tracks of the current period

	// DTS is the decoding time in ticks of the track's timescale since
	// 1970-01-01T00:00:00Z. It grows with each sample of a track: a sample
	// lasts until the next one.
	DTS int64

	// Duration is how long the sample should last, in ticks: what is known of
	// it before the next one comes.
	Duration uint32

	// CompositionOffset is PTS − DTS in ticks. It may be negative.
	CompositionOffset int32

	// Sync is true where decoding can start. OpenGOP tells that it is no IDR
	// picture: those behind it that are shown before it may need what was before.
	Sync, OpenGOP bool

	// Data is the access unit as MP4 stores it (H.264: NAL units with 4-byte
	// lengths). It is borrowed: valid until the call that got it returns.
	Data []byte
}

// Output takes what a Remuxer makes. It is used by one goroutine.
type Output interface {
	// Begin is told when the first frame came, and answers from when on the
	// stream goes on: then, or where it was left, if that is later.
	Begin(now time.Time) time.Time
	// SetTracks begins a period: what comes next is decoded with these
	// tracks, video first. It is called before the first sample, and again
	// whenever a decoder must start anew.
	SetTracks([]Track) error
	// WriteSample takes one sample. Its data is borrowed.
	WriteSample(Sample) error
	// Close ends the stream. A nil cause is a clean end.
	Close(cause error)
}

// Size is the displayed size in pixels, zero for audio.
func (t Track) Size() (width, height int) {
	if c, ok := t.Codec.(*H264); ok {
		return c.Width, c.Height
	}
	return 0, 0
}
