// Package remux turns FLV tags into tracks and samples on one clean timeline.
package remux

import (
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Kind tells video from audio.
type Kind = flv.Kind

// The kinds of tracks.
const (
	Video = flv.Video
	Audio = flv.Audio
)

// Track describes the samples of one elementary stream.
type Track struct {
	// ID is the same as long as the encoder sends the track, and in all of its
	// sessions: v1 or a1 for the first, or only, track of a kind.
	ID string

	// Name and Language (RFC 5646) are as the encoder says, empty where it says
	// nothing.
	Name, Language string

	Codec     Codec // for those who write a header; all others find what they need below
	kind      Kind
	Codecs    string // the codec in RFC 6381 form
	Timescale uint32 // ticks per second of this track's samples
	Picture   Picture
	Sound     Sound

	// UnitDuration is how long an access unit lasts, in ticks, but for a few; 0 where
	// that isn't known.
	UnitDuration uint32

	// Silence is an access unit of silence, nil where the track can have none, and
	// SilenceDuration how long it lasts, in ticks. It must not be modified.
	Silence         []byte
	SilenceDuration uint32

	Bitrate int // bit/s as the encoder's metadata says, 0 when it doesn't

	// KeyframeInterval is how far keyframes are apart at most, as far as the
	// encoder tells before the second one comes; 0 when it doesn't.
	KeyframeInterval time.Duration
}

// Picture is the format of a video track; zero of another.
type Picture struct {
	Width, Height int          // displayed pixels, after cropping
	SAR           [2]uint32    // sample aspect ratio; zero when unknown
	FrameRate     Rational     // as the encoder says; zero when it doesn't
	Colour        *ColourCodes // nil when the encoder says nothing
	Mastering     *Mastering   // nil when unknown; must not be modified
	Light         *Light       // nil when unknown; must not be modified
}

// Sound is the format of an audio track; zero of another.
type Sound struct {
	SampleRate int // Hz
	Channels   int // that come out of the decoder

	// Layout is how the channels lie, as a ChannelConfiguration of ISO/IEC 23091-3; 0
	// where none is theirs. Of Dolby's codecs it is a channel map: Dolby (ETSI TS 102
	// 366, table E.1.4). Objects is then the complexity of joint object coding, 0 where
	// there is none.
	Layout  int
	Dolby   uint16
	Objects int
}

// Rational is a fraction; the zero value stands for unknown.
type Rational struct{ Num, Den uint32 }

// ColourCodes are the code points of ISO/IEC 23091-2.
type ColourCodes struct {
	Primaries, Transfer, Matrix uint8
	FullRange                   bool
}

// Mastering is the display that the pictures were graded on (SMPTE ST 2086), in the
// units that SEI messages and mdcv boxes have.
type Mastering struct {
	Primaries    [3][2]uint16 // x and y of green, blue and red, in units of 0.00002
	WhitePoint   [2]uint16    // x and y, in units of 0.00002
	MaxLuminance uint32       // in units of 0.0001 cd/m²
	MinLuminance uint32       // in units of 0.0001 cd/m²
}

// Light is how bright the content is (CTA-861.3), in cd/m².
type Light struct {
	MaxCLL  uint16 // of the brightest pixel
	MaxFALL uint16 // of the brightest picture, on average
}

// TrackOf is the track that a decoder is for, with all that it says of it.
func TrackOf(c Codec) Track {
	t := c.track()
	t.Codec, t.Codecs, t.kind = c, c.String(), c.kind()
	return t
}

// Same tells whether both are decoded with one configuration, and shown alike.
func (t Track) Same(o Track) bool {
	return t.Timescale == o.Timescale && t.Codec.equal(o.Codec) && t.Picture.looks(&o.Picture)
}

// Kind tells video from audio.
func (t *Track) Kind() Kind { return t.kind }

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

	// Data is the access unit as MP4 stores it (H.264 and HEVC: NAL units with
	// 4-byte lengths).
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
	// WriteSample takes one sample, which may be modified, but not its data. It is
	// borrowed: valid until the call returns.
	WriteSample(*Sample) error
	// Close ends the stream. A nil cause is a clean end.
	Close(cause error)
}
