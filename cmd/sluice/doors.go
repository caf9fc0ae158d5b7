package main

import (
	"fmt"
	"net"
	"time"

	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// newDoors returns the doors that encoders and viewers come through.
func (a *app) newDoors() (encoders, viewers *door.Door, err error) {
	rtmp := door.Limits{
		Connections:   a.cfg.RTMP.MaxConnections,
		PerAddress:    a.cfg.RTMP.MaxPerAddress,
		Rate:          float64(a.cfg.RTMP.ConnectionRate),
		Burst:         a.cfg.RTMP.ConnectionBurst,
		HeaderTimeout: a.cfg.RTMP.HandshakeTimeout,
	}
	http := door.Limits{
		Connections:   a.cfg.HTTP.MaxConnections,
		PerAddress:    a.cfg.HTTP.MaxPerAddress,
		HeaderTimeout: headerTimeout,
	}
	if rtmp.Exempt, err = address.ParseNetworks(a.cfg.RTMP.UnlimitedFrom); err != nil {
		return nil, nil, err
	}
	if rtmp.Proxies, err = address.ParseNetworks(a.cfg.RTMP.ProxyProtocolFrom); err != nil {
		return nil, nil, err
	}
	if http.Exempt, err = address.ParseNetworks(a.cfg.HTTP.UnlimitedFrom); err != nil {
		return nil, nil, err
	}
	if http.Proxies, err = address.ParseNetworks(a.cfg.HTTP.ProxyProtocolFrom); err != nil {
		return nil, nil, err
	}
	a.fitDescriptors(&rtmp, &http)
	return a.newDoor(rtmp), a.newDoor(http), nil
}

// spareDescriptors are for all that is no connection of encoders or viewers.
const spareDescriptors = 64

// fitDescriptors leaves room for encoders, whatever viewers do: those must
// never be without a descriptor because these have them all.
func (a *app) fitDescriptors(rtmp, http *door.Limits) {
	room := descriptors() - spareDescriptors
	if rtmp.Connections+http.Connections <= room {
		return
	}
	rtmp.Connections = max(1, min(rtmp.Connections, room/2))
	http.Connections = max(1, min(http.Connections, room-rtmp.Connections))
	a.log.Info().Int("descriptors", room+spareDescriptors).Int("rtmp", rtmp.Connections).Int("http", http.Connections).
		Msg("fewer connections than configured: raise the limit on open files (ulimit -n)")
}

// adminDoor has no limits but one: what watches the server must reach it. The
// counter behind it makes room.
func (a *app) adminDoor() *door.Door {
	return a.newDoor(door.Limits{Connections: spareDescriptors / 2})
}

// admit serves those who come in by it.
func (a *app) admit(l net.Listener) {
	c := &counter{Listener: l, most: spareDescriptors * 3 / 8}
	a.http.Operating = c.attend
	s := newServer(a.http.AdminHandler(a.ready.Load), a.http.Log)
	s.ConnContext = c.remember
	a.ways = append(a.ways, serverWay(s, c))
}

func (a *app) newDoor(l door.Limits) *door.Door {
	return door.New(l, a.metrics, time.Now, a.noteRefusal)
}

// advice is what an operator can do about each refusal.
var advice = map[metrics.Limit]string{
	metrics.Connections:           "max_connections is reached: raise it, or put a cache in front",
	metrics.ConnectionsPerAddress: "max_per_address is reached: raise it, or name a proxy's network in unlimited_from",
	metrics.ConnectionRate:        "connection_rate is exceeded: raise it, or name a proxy's network in unlimited_from",
	metrics.ProxyHeader:           "proxy_protocol_from names a proxy that sent no PROXY protocol header",
	metrics.Accepting:             "no connection can be accepted: live streams go on; see the limit on open files (ulimit -n)",
}

func (a *app) noteRefusal(e door.Event) {
	line := a.log.Warn()
	if e.What == metrics.Accepting {
		line = a.log.Error()
	}
	if e.Remote.IsValid() {
		line = line.Stringer("remote", e.Remote)
	}
	line.Str("what", string(e.What)).Str("listener", e.Listener).Int("more", e.More).AnErr("cause", e.Err).Msg(advice[e.What])
}

// refusals is what those hear, by listener, who are not let in: only HTTP
// without TLS has words that early.
var refusals = map[string]func(metrics.Limit) []byte{"http": refuseHTTP}

func refuseHTTP(what metrics.Limit) []byte {
	status, text := "503 Service Unavailable", "no room for another connection: try again later"
	if what != metrics.Connections {
		status, text = "429 Too Many Requests", "too many connections from your address: close some, or ask the operator"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nRetry-After: 5\r\n"+
		"Cache-Control: no-store\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n%s\n", status, len(text)+1, text)
}
