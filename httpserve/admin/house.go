package admin

import (
	"context"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
	"github.com/sluice-live/sluice/remux"
)

// House is what is asked of the program.
type House interface {
	Ready() bool // false while it stops or is drained
	Streams() []*packager.Stream
	Viewers(packager.StreamName) int // that watch it now, about
	// Health is what is wrong with a stream, the worst first; never nil.
	Health(packager.StreamName) []health.Advice
	// Hooks are those who are told what happens.
	Hooks() []Hook

	// Readers are those who play by RTMP: who came last comes first.
	Readers() []Reader
	// Relays are the streams that are fetched from other servers, and sent on to them, in
	// the order of the configuration: by stream.
	Relays() []Relay

	Publishers
	Process
}

// Publishers is who publishes, and who may not.
type Publishers interface {
	// Sessions are those that publish, and those that ended within the hour: as many
	// as are kept. The newest comes first.
	Sessions() []Session
	// End ends all sessions of a stream, and the stream itself. It tells whether
	// there was something to end.
	End(packager.StreamName) bool
	// EndSession ends one session. It tells whether it was there.
	EndSession(id string) bool
	// Refuse lets nobody publish a stream until then. It tells whether there is room
	// to remember that.
	Refuse(stream packager.StreamName, until time.Time) bool
	// Admit takes that back. It tells whether it was so.
	Admit(packager.StreamName) bool
	// Refused are the streams that nobody may publish, until when.
	Refused() map[packager.StreamName]time.Time
	// Refusals are those of the last hour: as many as are kept. The newest comes first.
	Refusals() []Refusal
}

// Process is the program itself.
type Process interface {
	About() About
	Settings() []Setting
	Reload(context.Context) error
	Draining() bool
	// Drain lets no publishers in, and asks encoders that understand it to come elsewhere:
	// to an address, or, where that is empty, to where they came.
	Drain(to string)
	Undrain()
	LogLevel() string
	SetLogLevel(string)
}

// Session is one publication of an encoder, from its being let in to its end.
type Session struct {
	ID       string     `json:"id"`
	Stream   string     `json:"stream" example:"live/cam1"`
	Pushed   string     `json:"pushed" doc:"The name that the encoder pushes: that of the stream, or of a quality of it." example:"live/cam1_720p"`
	Remote   string     `json:"remote" doc:"Where the encoder is." example:"192.0.2.7:50312"`
	Software string     `json:"software" doc:"What the encoder calls itself."`
	By       string     `json:"by" doc:"The rule that let it in." example:"key"`
	TLS      bool       `json:"tls"`
	Began    time.Time  `json:"began"`
	Ended    *time.Time `json:"ended,omitempty" doc:"Absent while it publishes."`
	Why      string     `json:"why,omitempty" doc:"Why it ended."`
	Bytes    uint64     `json:"bytes" doc:"Of pictures and sound that came, as of a few seconds ago."`
	Measured *Measured  `json:"measured,omitempty" doc:"What its encoder sent in the last seconds; absent at the beginning."`
}

// Measured is what an encoder has sent of late, as it came: before anything is mended.
type Measured struct {
	At      time.Time       `json:"at" doc:"It is of the 5 s before, where nothing else is said."`
	Stalls  int             `json:"stalls" doc:"How often the network stood still for more than a second, over a minute."`
	Longest float64         `json:"longestStall" doc:"Seconds, over a minute."`
	Dropped int             `json:"dropped" doc:"Frames that could not be used, over a minute."`
	Mended  int             `json:"mended" doc:"Leaps of the timestamps of a track, over a minute."`
	Jitter  float64         `json:"jitter" doc:"Seconds that the latest frame came later than the earliest, by their timestamps."`
	Pace    float64         `json:"pace" doc:"Seconds of media that come in a second, over 20 s; 0: not known yet."`
	Drift   float64         `json:"drift" doc:"How fast the encoder's clock is, in millionths, over two minutes; 0: not known yet, or slight."`
	Lead    float64         `json:"lead" doc:"Seconds that sound is ahead of the picture that comes with it."`
	Tracks  []MeasuredTrack `json:"tracks"`
}

// MeasuredTrack is the same of one track.
type MeasuredTrack struct {
	ID           string    `json:"id" example:"v1"`
	Frames       float64   `json:"frames" doc:"A second."`
	StatedFrames float64   `json:"statedFrames" doc:"As the encoder says; 0: it doesn't."`
	Uneven       float64   `json:"uneven" doc:"Share of frames that don't come at the usual distance."`
	Bitrate      int       `json:"bitrate" doc:"Bit/s, over a minute at most."`
	Stated       int       `json:"statedBitrate" doc:"As the encoder says; 0: it doesn't."`
	Reorder      float64   `json:"reorder" doc:"Seconds that a frame is shown later than it is decoded, at most: B-frames."`
	Keyframes    []float64 `json:"keyframes" doc:"Distances of the last keyframes, in seconds, oldest first."`
}

// MeasuredOf is what was measured as the API shows it; nil before there is anything.
func MeasuredOf(m remux.Measure) *Measured {
	if m.At.IsZero() {
		return nil
	}
	out := &Measured{
		At: m.At.UTC(), Stalls: m.Stalls, Longest: m.Longest.Seconds(), Dropped: m.Dropped, Mended: m.Mended,
		Jitter: m.Jitter.Seconds(), Pace: m.Pace, Drift: m.Drift, Lead: m.Lead.Seconds(), Tracks: []MeasuredTrack{},
	}
	for _, t := range m.Tracks {
		one := MeasuredTrack{
			ID: t.ID, Frames: t.Frames, StatedFrames: t.StatedFrames, Uneven: t.Uneven, Bitrate: t.Rate, Stated: t.StatedRate,
			Reorder: t.Reorder.Seconds(), Keyframes: []float64{},
		}
		for _, k := range t.Keys {
			one.Keyframes = append(one.Keyframes, k.Seconds())
		}
		out.Tracks = append(out.Tracks, one)
	}
	return out
}

// Refusal is one publisher that was refused.
type Refusal struct {
	At     time.Time `json:"at"`
	App    string    `json:"app" doc:"The first half of the name that was asked for. The other half may be a secret."`
	Stream string    `json:"stream,omitempty" doc:"Where it was known which one was meant."`
	Remote string    `json:"remote"`
	What   string    `json:"what" doc:"The limit or rule, as in sluice_refused_total; or busy, or other." example:"publish"`
	Why    string    `json:"why" doc:"As the encoder was told."`
}

// Setting is one setting of the configuration in force.
type Setting struct {
	Path   string `json:"path" example:"window.segments"`
	Value  string `json:"value" doc:"As a flag would have it. Secrets are hidden." example:"8"`
	Secret bool   `json:"secret" doc:"The value is not shown."`
}
