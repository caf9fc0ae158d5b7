package ports

import (
	"fmt"
	"time"

	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// doors returns those that encoders and viewers come through.
func (o *opening) doors() (encoders, viewers *door.Door, err error) {
	rtmp := door.Limits{
		Connections:   o.cfg.RTMP.MaxConnections,
		PerAddress:    o.cfg.RTMP.MaxPerAddress,
		Rate:          float64(o.cfg.RTMP.ConnectionRate),
		Burst:         o.cfg.RTMP.ConnectionBurst,
		HeaderTimeout: o.cfg.RTMP.HandshakeTimeout,
	}
	http := door.Limits{
		Connections:   o.cfg.HTTP.MaxConnections,
		PerAddress:    o.cfg.HTTP.MaxPerAddress,
		HeaderTimeout: HeaderTimeout,
	}
	for _, list := range []struct {
		networks *address.Networks
		text     []string
	}{
		{&rtmp.Exempt, o.cfg.RTMP.UnlimitedFrom},
		{&rtmp.Proxies, o.cfg.RTMP.ProxyProtocolFrom},
		{&http.Exempt, o.cfg.HTTP.UnlimitedFrom},
		{&http.Proxies, o.cfg.HTTP.ProxyProtocolFrom},
	} {
		if *list.networks, err = address.ParseNetworks(list.text); err != nil {
			return nil, nil, err
		}
	}
	o.fitDescriptors(&rtmp, &http)
	return o.door(rtmp), o.door(http), nil
}

// spareDescriptors are for all that is no connection of encoders or viewers.
const spareDescriptors = 64

// fitDescriptors says in the log where there are fewer than the configuration wants.
func (o *opening) fitDescriptors(rtmp, http *door.Limits) {
	n := descriptors()
	if fit(rtmp, http, n) {
		o.log.Info().Int("descriptors", n).Int("rtmp", rtmp.Connections).Int("http", http.Connections).
			Msg("fewer connections than configured: raise the limit on open files (ulimit -n)")
	}
}

// fit leaves room for encoders, whatever viewers do, and tells whether it had to: those
// must never be without a descriptor because these have them all.
func fit(rtmp, http *door.Limits, descriptors int) (fewer bool) {
	room := descriptors - spareDescriptors
	if rtmp.Connections+http.Connections <= room {
		return false
	}
	rtmp.Connections = max(1, min(rtmp.Connections, room/2))
	http.Connections = max(1, min(http.Connections, room-rtmp.Connections))
	return true
}

// adminDoor has no limits but one: what watches the server must reach it. The
// counter behind it makes room.
func (o *opening) adminDoor() *door.Door {
	return o.door(door.Limits{Connections: spareDescriptors / 2})
}

func (o *opening) door(l door.Limits) *door.Door {
	return door.New(l, o.metrics, time.Now, o.noteRefusal)
}

// advice is what an operator can do about each refusal.
var advice = map[metrics.Limit]string{
	metrics.Connections:           "max_connections is reached: raise it, or put a cache in front",
	metrics.ConnectionsPerAddress: "max_per_address is reached: raise it, or name a proxy's network in unlimited_from",
	metrics.ConnectionRate:        "connection_rate is exceeded: raise it, or name a proxy's network in unlimited_from",
	metrics.ProxyHeader:           "proxy_protocol_from names a proxy that sent no PROXY protocol header",
	metrics.Accepting:             "no connection can be accepted: live streams go on; see the limit on open files (ulimit -n)",
}

func (o *opening) noteRefusal(e door.Event) {
	line, does := o.log.Warn(), advice[e.What]
	if e.Listener == "admin" && e.What == metrics.Connections {
		does = "operators' connections are all in use: close what listens to events or takes profiles"
	}
	if e.What == metrics.Accepting {
		line = o.log.Error()
	}
	if e.Remote.IsValid() {
		line = line.Stringer("remote", e.Remote)
	}
	line.Str("what", string(e.What)).Str("listener", e.Listener).Int("more", e.More).AnErr("cause", e.Err).Msg(does)
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
