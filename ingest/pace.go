package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/metrics"
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

// bucket is a rate that may be exceeded for a moment.
type bucket struct {
	rate, size float64 // a second, at once
	level      float64 // what was taken and not yet forgotten
	at         time.Time
}

// take tells whether there is room for n more.
func (b *bucket) take(n float64, now time.Time) bool {
	if !b.at.IsZero() {
		b.level = max(0, b.level-b.rate*now.Sub(b.at).Seconds())
	}
	b.at = now
	b.level += n
	return b.level <= b.size
}

// pace is how fast a peer may go, in each way in which it can keep us busy.
type pace struct {
	bytes, messages, controls, commands bucket

	counted uint64 // messages of the reader that were taken from their bucket
	tags    uint64 // inside of aggregates, since the last read

	messageTime time.Duration
	complete    bool      // a message has been since the last read
	waiting     time.Time // for a message to be complete, since then
}

func newPace(l Limits) pace {
	bytes := float64(l.Bitrate) / 8
	return pace{
		// One that stood still has that much to catch up with.
		bytes:       bucket{rate: bytes, size: bytes * (bitrateTime + l.IdleTimeout).Seconds()},
		messages:    bucket{rate: strangerRate, size: strangerRate},
		controls:    bucket{rate: controlRate, size: controlRate},
		commands:    bucket{rate: commandRate, size: commandRate},
		messageTime: l.MessageTimeout,
	}
}

// admitted lets a publisher have the rate of media.
func (p *pace) admitted(l Limits) {
	p.messages = bucket{rate: messageRate, size: messageRate * (bitrateTime + l.IdleTimeout).Seconds()}
}

// left takes it back.
func (p *pace) left() { p.messages = bucket{rate: strangerRate, size: strangerRate} }

// received is told of each read. It counts messages, too: what lies between two
// reads is no more than a buffer has room for.
func (c *conn) received(n int, now time.Time) error {
	p := &c.pace
	c.held.Store(int64(c.reader.Held()))
	if p.bytes.rate > 0 && !p.bytes.take(float64(n), now) {
		return c.server.exceeds(metrics.Bitrate, "more than %d kbit/s for longer than a stall explains: rtmp.max_bitrate in the configuration is the limit",
			c.server.Limits.Bitrate/1000)
	}
	messages := c.reader.Messages()
	came := messages - p.counted + p.tags
	p.counted, p.tags = messages, 0
	if !p.messages.take(float64(came), now) {
		return c.crowded()
	}
	if p.complete || p.waiting.IsZero() {
		p.complete, p.waiting = false, now
	} else if p.messageTime > 0 && now.Sub(p.waiting) > p.messageTime {
		return c.server.exceeds(metrics.MessageTime, "no message was complete within %v: chunks come too slowly", p.messageTime)
	}
	return nil
}

// crowded is the error of too many messages.
func (c *conn) crowded() error {
	return c.server.exceeds(metrics.MessageRate, "more than %.0f messages a second for longer than a stall explains: most of them carry nothing", c.pace.messages.rate)
}

// unwrapped is told of each tag inside an aggregate message.
func (c *conn) unwrapped() error {
	if c.pace.tags++; float64(c.pace.tags) > c.pace.messages.size {
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
