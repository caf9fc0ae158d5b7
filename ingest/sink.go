package ingest

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// Handler decides who may publish and says where the tags go.
type Handler interface {
	// Publish returns the Sink of a stream and what it is called in public:
	// Request.Name may be a secret, and is in no log and no answer. An error
	// becomes the answer to the encoder: wrap ErrBusy or ErrDenied to choose
	// its code. The context ends with the connection.
	Publish(ctx context.Context, r Request) (stream string, s Sink, err error)
}

// Carrier is a Handler that says which codecs are carried: encoders that speak
// Enhanced RTMP are told.
type Carrier interface {
	Codecs() []flv.FourCC
}

// Authenticator is a Handler that judges already how an encoder connects:
// some tell who they are in that step alone.
type Authenticator interface {
	// Connect returns what each Request of the connection has as its Login: who
	// the encoder is, or nil. This request has neither name nor login yet. An
	// error refuses the connection, and is told: a *Rejection in words of its own.
	Connect(ctx context.Context, r Request) (login any, err error)
}

// Rejection refuses a connection with a text that encoders read to the letter.
type Rejection struct {
	Description string
	Cause       error // for the log
}

func (r *Rejection) Error() string { return r.Cause.Error() }
func (r *Rejection) Unwrap() error { return r.Cause }

// Sink takes the tags of one publication. It is used by one goroutine.
type Sink interface {
	// WriteTag takes one tag. Its body is borrowed for the length of the
	// call. An error ends the publication and is told to the encoder.
	WriteTag(flv.Tag) error
	// Close ends the publication. A nil cause is a goodbye of the encoder or
	// of this server; any other says how the connection was lost. It is
	// called exactly once.
	Close(cause error)
}

// Request is what an encoder asks for when it publishes, or a reader when it plays.
type Request struct {
	App, Name string // as sent, without query, leading slash and prefix
	Query     string // of the name and of the app, joined by "&"
	TCURL     string // where it believes to be: never trust it
	Login     any    // what Authenticator has returned; nil without
	PageURL   string // where a player says to be shown
	Abilities Abilities
	Remote    netip.AddrPort
	Encrypted bool     // came through TLS
	Software  string   // flashVer: what the encoder calls itself
	Via       []string // the servers that it has come by, or that want it, as a relay tells them: the nearest first
	Peer      Peer
}

// Peer is the connection that a Request came by.
type Peer interface {
	// Silent is how long it has sent nothing, whatever is done to the clock.
	Silent() time.Duration
	// Held is how many bytes of memory it had for what it receives when it read
	// last: its buffer and unfinished messages.
	Held() int
	// Reconnect asks an encoder to come by another connection, to that address or, where
	// it is empty, to where it came. The encoder hears it when it sends next, goes on until its
	// next keyframe, and leaves when it is let in elsewhere (Enhanced RTMP v2, "Reconnect
	// Request"). The answer is whether it understands that: few do.
	Reconnect(tcURL string) bool
	// Hang ends the connection. Its Sink is closed with that cause, by its own
	// goroutine.
	Hang(cause error)
}

// The reasons to refuse a publication that have a status code of their own.
var (
	ErrBusy   = errors.New("the stream has a publisher already")
	ErrDenied = errors.New("not allowed to publish")
)

// status is the NetStream status code that tells an encoder of err.
func status(err error) string {
	switch {
	case errors.Is(err, ErrBusy):
		return "NetStream.Publish.BadName"
	case errors.Is(err, ErrDenied):
		return "NetStream.Publish.Denied"
	}
	return "NetStream.Publish.Rejected"
}

// result is what metrics say of it.
func result(err error) metrics.Result {
	switch {
	case err == nil:
		return metrics.Accepted
	case errors.Is(err, ErrBusy):
		return metrics.Busy
	case errors.Is(err, ErrDenied):
		return metrics.Denied
	}
	return metrics.Rejected
}
