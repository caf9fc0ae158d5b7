package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/ingest/rate"
)

const (
	messageRate  = 1000 // of any kind while publishing, a second: ten times what sound and picture need
	strangerRate = 200  // of any kind before that
	controlRate  = 200  // messages that keep the connection going, and data, a second
	commandRate  = 50   // commands, a second
	bitrateTime  = 5 * time.Second
)

// exceeds counts a limit that was exceeded, and says so.
func (s *Server) exceeds(what metrics.Limit, format string, args ...any) error {
	s.Metrics.Refused(what)
	return &metrics.Exceeded{Limit: what, Text: fmt.Sprintf(format, args...)}
}

// meter is what has come of something, and what may.
type meter struct {
	limit rate.Limit
	rate.Bucket
}

// take tells whether n more may come.
func (m *meter) take(n float64, now time.Time) bool { return m.Take(m.limit, n, now) }

// atOnce lets as much come at once as in a second.
func atOnce(perSecond float64) meter {
	return meter{limit: rate.Limit{PerSecond: perSecond, Burst: perSecond}}
}

// caughtUp lets one who stood still catch up with that.
func (l Limits) caughtUp(perSecond float64) meter {
	return meter{limit: rate.Limit{PerSecond: perSecond, Burst: perSecond * (bitrateTime + l.IdleTimeout).Seconds()}}
}

// pace is how fast a peer may go, in each way in which it can keep us busy.
type pace struct {
	passed uint64 // messages of the reader that were taken from theirs
	tags   uint64 // inside of aggregates, since the last read

	messageTime time.Duration
	complete    bool      // a message has been since the last read
	waiting     time.Time // for a message to be complete, since then

	messages, bytes, controls, commands meter
}

func newPace(l Limits) pace {
	return pace{
		bytes:       l.caughtUp(float64(l.Bitrate) / 8),
		messages:    atOnce(strangerRate),
		controls:    atOnce(controlRate),
		commands:    atOnce(commandRate),
		messageTime: l.MessageTimeout,
	}
}

// admitted lets a publisher have the rate of media.
func (p *pace) admitted(l Limits) {
	p.messages = l.caughtUp(messageRate)
}

// left takes it back.
func (p *pace) left() { p.messages = atOnce(strangerRate) }

// received is told of each read, and acknowledges what has come. It counts messages, too:
// what lies between two reads is no more than a buffer has room for.
func (c *conn) received(n int, now time.Time) error {
	p := &c.pace
	c.held.Store(int64(c.reader.Held()))
	if p.bytes.limit.PerSecond > 0 && !p.bytes.take(float64(n), now) {
		return c.server.exceeds(metrics.Bitrate, "more than %d kbit/s for longer than a stall explains: rtmp.max_bitrate in the configuration is the limit",
			c.server.Limits.Bitrate/1000)
	}
	messages := c.reader.Messages()
	came := messages - p.passed + p.tags
	p.passed, p.tags = messages, 0
	if !p.messages.take(float64(came), now) {
		return c.crowded()
	}
	if p.complete || p.waiting.IsZero() {
		p.complete, p.waiting = false, now
	} else if p.messageTime > 0 && now.Sub(p.waiting) > p.messageTime {
		return c.server.exceeds(metrics.MessageTime, "no message was complete within %v: chunks come too slowly", p.messageTime)
	}
	return c.acknowledge(c.reader.Received() + uint64(n))
}

// crowded is the error of too many messages.
func (c *conn) crowded() error {
	return c.server.exceeds(metrics.MessageRate, "more than %.0f messages a second for longer than a stall explains: most of them carry nothing", c.pace.messages.limit.PerSecond)
}

// unwrapped is told of each tag inside an aggregate message.
func (c *conn) unwrapped() error {
	if c.pace.tags++; float64(c.pace.tags) > c.pace.messages.limit.Burst {
		return c.crowded()
	}
	return nil
}

// upkeep is told of each message that keeps the connection going, and of data.
func (c *conn) upkeep() error {
	if !c.pace.controls.take(1, c.server.Now()) {
		return c.server.exceeds(metrics.ControlRate, "more than %d control and data messages a second", controlRate)
	}
	return nil
}

// commanded is told of each command.
func (c *conn) commanded() error {
	if !c.pace.commands.take(1, c.server.Now()) {
		return c.server.exceeds(metrics.CommandRate, "more than %d commands a second", commandRate)
	}
	return nil
}

// counted counts a limit of the chunk layer that was exceeded.
func (s *Server) counted(err error) error {
	if e := (*chunk.ControlError)(nil); errors.As(err, &e) {
		s.Metrics.Refused(metrics.ControlRate)
	}
	return err
}
