package admin

import (
	"context"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// House is what is asked of the program.
type House interface {
	Ready() bool // false while it stops or is drained
	Streams() []*packager.Stream
	Viewers(packager.StreamName) int // that watch it now, about

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
	Settings() []Setting
	Reload(context.Context) error
	Draining() bool
	Drain(on bool)
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
	By       string     `json:"by" doc:"What it was let in by." example:"key"`
	TLS      bool       `json:"tls"`
	Began    time.Time  `json:"began"`
	Ended    *time.Time `json:"ended,omitempty" doc:"Absent while it publishes."`
	Why      string     `json:"why,omitempty" doc:"Why it ended."`
	Bytes    uint64     `json:"bytes" doc:"Of pictures and sound that came."`
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
