package ingest

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Handler decides who may publish and says where the tags go.
type Handler interface {
	// Publish returns the Sink of a stream, or an error that becomes the
	// answer to the encoder: wrap ErrBusy or ErrDenied to choose its code.
	// The context ends with the connection.
	Publish(ctx context.Context, r Request) (Sink, error)
}

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

// Request is what an encoder asks for when it publishes.
type Request struct {
	App, Name string // as sent, without query, leading slash and prefix
	Query     string // of the name and of the app, joined by "&"
	Remote    netip.AddrPort
	Encrypted bool   // came through TLS
	Software  string // flashVer: what the encoder calls itself
	Peer      Peer
}

// Peer is the connection that a Request came by.
type Peer interface {
	// Heard is when it sent something last.
	Heard() time.Time
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
