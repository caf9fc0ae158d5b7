package ingest

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

const (
	// lingerTime lets an encoder read why it is refused before TCP closes:
	// OBS shows an early close as "failed to connect".
	lingerTime  = time.Second
	lingerBytes = 8 << 20 // more than an encoder sends in that time
)

// gone tells whether err is that of a connection that the peer has left.
func gone(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &op)
}

// reset tells whether a write failed since nobody is there to hear it.
func reset(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// faulty tells whether err is a fault in what the peer sent: it is still there
// to hear of it.
func faulty(err error) bool {
	var network net.Error
	var told *toldError
	return err != nil && !errors.As(err, &network) && !errors.As(err, &told) && !errors.Is(err, io.EOF) &&
		!errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// toldError is one that the encoder has heard of, and the log.
type toldError struct{ error }

func (e *toldError) Unwrap() error { return e.error }

// refuse logs why, tells the encoder, waits a moment so that it can read it,
// and returns why.
func (c *conn) refuse(streamID uint32, why error) error {
	c.log.Info().AnErr("cause", phase("publish", why)).Msg("refused")
	c.dismiss(streamID, why)
	return &toldError{why}
}

// dismiss is refuse for one of whose end the log will tell.
func (c *conn) dismiss(streamID uint32, why error) {
	c.onStatus(streamID, "error", status(why), why.Error())
	c.linger()
}

// reject is refuse for a connect command.
func (c *conn) reject(cmd command, why error) error {
	c.log.Info().AnErr("cause", phase("connect", why)).Msg("refused")
	description := why.Error()
	if r := (*Rejection)(nil); errors.As(why, &r) {
		description = r.Description
	}
	c.callFailed(cmd, "NetConnection.Connect.Rejected", description)
	c.linger()
	return &toldError{why}
}

// linger sends what was said, and gives the encoder lingerTime to read it or to
// go. What it still sends is thrown away, up to lingerBytes; then TCP holds it up.
func (c *conn) linger() {
	if err := c.flush(); err != nil {
		return
	}
	over := time.NewTimer(lingerTime)
	defer over.Stop()
	c.idle.until(lingerTime)
	c.idle.received, c.idle.failed = nil, nil
	if _, err := io.CopyN(io.Discard, c.idle, lingerBytes); err != nil {
		return
	}
	select {
	case <-over.C:
	case <-c.idle.ctx.Done():
	}
}
