package ingest

import (
	"context"
	"strings"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
)

const (
	// maxQuery bounds the queries of app and stream together: a long token fits
	// in twice. maxShort is how much of a name that is not one comes back in
	// answers and in the log.
	maxQuery = 4 << 10
	maxShort = 128
)

// connected is what the connect command settles.
type connected struct {
	app, query string
	tcURL      string
	software   string
	page       string // that a player says to be on
	abilities  Abilities
	login      any
	via        []string
}

// connect waits for the connect command and accepts it, if the encoder needn't
// log in, or has.
func (c *conn) connect(ctx context.Context) (connected, error) {
	for {
		m, err := c.read()
		if err != nil {
			return connected{}, err
		}
		cmd, ok := parseCommand(m)
		if !ok || cmd.name != "connect" {
			continue // nothing else has a meaning yet; nothing else is a fault
		}
		s := connected{
			software: short(cmd.object.String("flashVer")), tcURL: cmd.object.String("tcUrl"),
			page: cmd.object.String("pageUrl"), abilities: abilities(cmd.object), via: viaOf(cmd.object),
		}
		c.moves = s.abilities.Reconnect
		s.app, s.query, _ = strings.Cut(cmd.object.String("app"), "?")
		s.app = strings.Trim(s.app, "/")
		s.app = strings.TrimSuffix(s.app, "/_definst_")
		a, ok := c.server.Handler.(Authenticator)
		if ok && (c.server.player() == nil || !flashPlayer(cmd.object)) {
			if s.login, err = a.Connect(ctx, c.request(s, "")); err != nil {
				return connected{}, c.reject(cmd, err)
			}
		}
		c.write(control(chunk.TypeWindowAckSize, ackWindow))
		const dynamic = 2
		bandwidth := control(chunk.TypeSetPeerBand, ackWindow)
		bandwidth.Body = append(bandwidth.Body, dynamic)
		c.write(bandwidth)
		if !c.garbles(s) {
			c.writer.SetChunkSize(outChunkSize) // nobody else writes yet
		}
		var enhanced amf.Object
		if h, ok := c.server.Handler.(Carrier); ok {
			enhanced = capabilities(cmd.object, h.Codecs())
		}
		c.reply(commandStream, 0, "_result", cmd.txn,
			amf.Object{{Name: "fmsVer", Value: "FMS/3,0,1,123"}, {Name: "capabilities", Value: 31.0}, {Name: "mode", Value: 1.0}},
			append(amf.Object{
				{Name: "level", Value: "status"},
				{Name: "code", Value: "NetConnection.Connect.Success"},
				{Name: "description", Value: "Connection succeeded."},
				{Name: "objectEncoding", Value: 0.0},
			}, enhanced...))
		return s, c.flush()
	}
}

func (c *conn) request(s connected, publishingName string) Request {
	r := Request{
		TCURL:     s.tcURL,
		Login:     s.login,
		App:       s.app,
		PageURL:   s.page,
		Abilities: s.abilities,
		Remote:    address.WithPort(c.nc.RemoteAddr()),
		Encrypted: encrypted(c.nc),
		Software:  s.software,
		Via:       s.via,
	}
	name, query, _ := strings.Cut(publishingName, "?")
	for _, prefix := range []string{"mp4:", "flv:"} { // as Wowza's and Adobe's encoders write them
		name = strings.TrimPrefix(name, prefix)
	}
	r.Name = strings.Trim(name, "/")
	r.Peer = c
	r.Query = strings.Trim(query+"&"+s.query, "&")
	return r
}

// short is the beginning of a stranger's text.
func short(s string) string {
	if len(s) <= maxShort {
		return s
	}
	return strings.ToValidUTF8(s[:maxShort], "") + "…"
}
