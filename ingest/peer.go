package ingest

import (
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
)

// Silent is part of Peer.
func (c *conn) Silent() time.Duration {
	return c.server.Now().Sub(c.idle.latest())
}

// Held is part of Peer.
func (c *conn) Held() int { return int(c.held.Load()) }

// Reconnect is part of Peer.
func (c *conn) Reconnect(tcURL string) bool {
	if c.moves {
		c.move.Store(&tcURL)
	}
	return c.moves
}

// askToMove says what Reconnect has left to say: in a goroutine of this connection, so that a peer
// that doesn't read holds nobody else up.
func (c *conn) askToMove() error {
	to := c.move.Swap(nil)
	if to == nil {
		return nil
	}
	o := info("status", "NetConnection.Connect.ReconnectRequest", "this server is about to stop")
	if *to != "" {
		o = append(o, amf.Property{Name: "tcUrl", Value: *to})
	}
	c.reply(commandStream, 0, "onStatus", 0, amf.Null{}, o)
	return c.flush()
}

// Hang is part of Peer.
func (c *conn) Hang(cause error) { c.hang(cause) }
