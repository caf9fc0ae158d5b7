// Package ingest turns an RTMP connection into FLV tags.
//
//	listener ──▶ conn: handshake ──▶ connect ──▶ publish ──▶ tags ──▶ Sink
//
// A connection is one goroutine and plain calls: whatever WriteTag does
// happens on it, and TCP itself tells the encoder to slow down.
package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// Limits bounds what a peer can make the server hold and how long it may take.
type Limits struct {
	HandshakeTimeout time.Duration // TLS and RTMP handshake together
	PublishTimeout   time.Duration // from there to an accepted publish
	IdleTimeout      time.Duration // a publisher's silence
	WriteTimeout     time.Duration // a peer that reads none of our replies
	MessageTimeout   time.Duration // from one complete message to the next, while bytes come; 0: any
	Bitrate          int           // bit/s that an encoder may send; 0: any
	Chunk            chunk.Limits
}

// Server accepts encoders.
type Server struct {
	Limits  Limits
	Handler Handler
	Log     zerolog.Logger
	Metrics *metrics.Set
	Now     func() time.Time // the wall clock

	TLS   *tls.Config // for encoders that begin with TLS where it isn't expected; nil: they can't
	RTMPE bool        // encoders may hide what they say, and from nobody
	Watch string      // what browsers are told that come here, in a sentence; may be empty
}

// Serve accepts connections until ctx ends, then closes the listener, says
// goodbye to all publications and returns nil when the last one is closed. How
// many there may be, and what to do when the system has none, is the
// listener's affair: an error of its Accept is the end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		nc, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		conns.Go(func() { s.serve(ctx, nc) })
	}
}

// serve runs one connection. Why it ended is logged once.
func (s *Server) serve(ctx context.Context, nc net.Conn) {
	log := s.Log.With().Stringer("remote", nc.RemoteAddr()).Logger()
	ctx, hang := context.WithCancelCause(ctx)
	defer hang(nil)
	defer nc.Close()
	// The only way to wake a blocked Read is its deadline.
	defer context.AfterFunc(ctx, func() { nc.SetReadDeadline(time.Unix(1, 0)) })()
	defer func() {
		if p := recover(); p != nil { // one bad peer must not end the others' streams
			log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("connection failed")
		}
	}()

	c := newConn(ctx, hang, s, nc, log)
	defer func() { c.nc.Close() }() // TLS may have been put around nc
	defer c.idle.count()
	err := c.run(ctx)
	told := (*toldError)(nil)
	switch {
	case ctx.Err() != nil, err == nil, errors.As(err, &told):
		log.Debug().Msg("connection closed")
	case !c.idle.heard && errors.Is(err, io.ErrUnexpectedEOF):
		log.Debug().Msg("connection closed before it said anything")
	default:
		log.Info().AnErr("cause", err).Msg("connection closed")
	}
}

// phase wraps the error of one step of a connection.
func phase(name string, err error) error {
	return fmt.Errorf("%s: %w", name, err)
}
