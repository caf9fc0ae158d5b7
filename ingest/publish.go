package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// accepted is a publish command that was accepted.
type accepted struct {
	sink     Sink
	streamID uint32 // message stream of its tags
	early    earlyTags
	log      zerolog.Logger
}

// publish carries the dialogue from connect to an accepted publish command.
func (c *conn) publish(ctx context.Context, s connected) (accepted, error) {
	var early earlyTags
	for {
		m, err := c.read()
		if err != nil {
			return accepted{}, err
		}
		cmd, ok := parseCommand(m)
		if !ok {
			early.keep(m)
			continue
		}
		switch {
		case c.plays(ctx, s, cmd):
			if err := c.flush(); err != nil {
				return accepted{}, err
			}
			continue
		case cmd.name != "publish" || c.reads():
			if err := c.answer(cmd); err != nil {
				return accepted{}, err
			}
			continue
		}
		r := c.request(s, cmd.stringArg(0))
		if n := len(r.Query); n > maxQuery {
			return accepted{}, c.refuse(m.StreamID, fmt.Errorf("a query of %d bytes, the limit is %d", n, maxQuery))
		}
		stream, sink, err := c.server.Handler.Publish(ctx, r)
		c.server.Metrics.Published(result(err))
		if err != nil {
			return accepted{}, c.refuse(m.StreamID, err)
		}
		p := accepted{
			sink:     sink,
			streamID: m.StreamID,
			early:    early,
			log:      c.log.With().Str("stream", stream).Logger(),
		}
		if err := c.start(p); err != nil {
			sink.Close(err)
			return accepted{}, err
		}
		p.log.Info().Str("software", r.Software).Bool("tls", r.Encrypted).Str("protocol", c.protocol()).Msg("publishing")
		return p, nil
	}
}

// start tells the encoder to go ahead.
func (c *conn) start(p accepted) error {
	c.reader.SetLimits(c.server.Limits.Chunk)
	c.pace.admitted(c.server.Limits)
	c.write(userControl(streamBegin, p.streamID))
	c.onStatus(p.streamID, "status", "NetStream.Publish.Start", "the stream is now published")
	return c.flush()
}

// tags carries a publication's tags to its sink until the encoder says
// goodbye (true) or the connection or the sink fails. It logs how it ended.
func (c *conn) tags(ctx context.Context, p accepted) (bye bool) {
	c.idle.every(c.server.Limits.IdleTimeout)
	began := c.server.Now()
	end := func(cause error) {
		p.sink.Close(cause)
		p.log.Info().AnErr("cause", cause).Stringer("after", c.server.Now().Sub(began).Round(time.Millisecond)).
			Uint64("bytes", c.reader.Received()).Msg("publication ended")
	}
	panics := true
	defer func() {
		if panics {
			end(errPanic)
		}
	}()
	bye, err := c.copyTags(&p)
	panics = false
	cause := err
	switch {
	case bye:
		cause = nil
	case ctx.Err() != nil:
		if cause = context.Cause(ctx); errors.Is(cause, context.Canceled) {
			cause = nil // it is this server that says goodbye
		}
	}
	end(cause)
	if sink := (*sinkError)(nil); errors.As(err, &sink) {
		err = sink.err
	}
	if ctx.Err() == nil && faulty(err) {
		c.dismiss(p.streamID, err)
	}
	return bye
}

// errPanic is the cause of an end that nothing else explains.
var errPanic = errors.New("internal error")

// sinkError is a fault of the media, not of the connection.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }

func (e *sinkError) Unwrap() error { return e.err }

// ends tells an error that ends the publication from damage in one message.
func ends(err error) bool {
	var sink *sinkError
	var over *metrics.Exceeded
	return errors.As(err, &sink) || errors.As(err, &over)
}

// copyTags returns true when the encoder ended the publication itself.
func (c *conn) copyTags(p *accepted) (bye bool, err error) {
	write := func(tag flv.Tag) error {
		if err := p.sink.WriteTag(tag); err != nil {
			return &sinkError{err}
		}
		return nil
	}
	for _, t := range p.early {
		if err := write(t.Tag); err != nil {
			return false, err
		}
	}
	p.early = nil // what it needs for longer, the sink has copied
	for {
		m, err := c.read()
		if err == io.EOF && c.tunnelled() {
			return true, nil // only its client ends a tunnel like that, and some say no other goodbye
		}
		if err != nil {
			return false, err
		}
		if cmd, ok := parseCommand(m); ok {
			err := c.answer(cmd)
			if cmd.ends(p.streamID) {
				return true, nil // it need not wait for our answer
			}
			if err != nil && !reset(err) {
				return false, err
			}
			continue
		}
		if m.Type == chunk.TypeAggregate {
			// A damaged one is dropped from where the damage begins.
			err = flv.SplitAggregate(m.Body, m.Timestamp, func(tag flv.Tag) error {
				if err := c.unwrapped(); err != nil {
					return err
				}
				tag.Arrived = c.idle.latest()
				return write(tag)
			})
		} else if tag, ok := tagOf(m); ok {
			tag.Arrived = c.idle.latest()
			err = write(tag)
		}
		if err != nil && ends(err) {
			return false, err
		}
	}
}
