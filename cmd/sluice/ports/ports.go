// Package ports opens what encoders, viewers and operators come in by.
//
//	port ── door: room? fair? ── TLS: cert ──▶ RTMP listeners, for ingest
//	                                      └──▶ Ways: HTTP/1.1, 2 and 3, for viewers and operators
package ports

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/cert"
	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/cmd/sluice/systemd"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/gather"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/ingest/rtmpt"
)

// Rooms are what answers behind the ports.
type Rooms struct {
	Viewers http.Handler
	// Front bounds what strangers can do to h: what answers beside Viewers needs it.
	Front func(h http.Handler) http.Handler
	// Operators has what operators ask for. Behind their token it is to call attend,
	// which keeps their connections while they are answered.
	Operators func(attend func(http.Handler) http.Handler) http.Handler
	// Locate puts the address of whom a proxy speaks for in r.RemoteAddr: Viewers
	// does so by itself, what answers beside it needs it.
	Locate func(r *http.Request) error
	Log    zerolog.Logger // of what net/http says
}

// Ports are open: somebody must serve them, or close them.
type Ports struct {
	RTMP []net.Listener                                     // of encoders
	Ways []Way                                              // of viewers and operators
	TLS  *tls.Config                                        // for encoders that come by TLS where it isn't expected; nil without a certificate
	Addr struct{ RTMP, RTMPS, HTTP, HTTPS, Admin net.Addr } // nil when off
	read []*cert.Files                                      // certificates on disk; nil where there is none
	asks []asking                                           // see Answer

	sockets   map[string]syscall.Conn // see Sockets
	listeners []*resting
	leaving   atomic.Bool // another process accepts
}

// Open opens all ports that the configuration names, or none. Sockets that are open
// already take the place of addresses, where they are called as the listeners are: rtmp,
// rtmps, http, https, http3, admin.
func Open(c config.Config, r Rooms, open *systemd.Sockets, m *metrics.Set, log zerolog.Logger) (*Ports, error) {
	o := &opening{cfg: c, rooms: r, handed: open, metrics: m, log: log, ports: &Ports{sockets: make(map[string]syscall.Conn)}}
	err := o.open()
	if left := open.Left(); err == nil && len(left) > 0 {
		err = fmt.Errorf("sockets were handed to us that no listener uses: %q: they must be called rtmp, rtmps, http, https, http3 or admin, "+
			"rtmps and https want a certificate, http3 is off until http.http3 is on", left)
	}
	if err != nil {
		open.Close()
		o.ports.Close()
		return nil, err
	}
	return o.ports, nil
}

// Close closes them all, and what came by them to viewers.
func (p *Ports) Close() {
	for _, l := range p.RTMP {
		l.Close()
	}
	for _, w := range p.Ways {
		w.Close()
	}
}

// LookAtCertificates reads those again whose files have changed: else that
// happens when somebody connects. It is to be called now and then.
func (p *Ports) LookAtCertificates(now time.Time) {
	for _, c := range p.read {
		if c != nil {
			c.Look(now)
		}
	}
}

// opening is what Open goes by.
type opening struct {
	cfg     config.Config
	rooms   Rooms
	handed  *systemd.Sockets
	metrics *metrics.Set
	log     zerolog.Logger
	ports   *Ports
}

func (o *opening) open() error {
	watch := func(listener string) cert.Watch { return cert.NewWatch(listener, o.log, o.metrics) }
	rtmpFiles, err := cert.OpenFiles(o.cfg.RTMP.TLSCert, o.cfg.RTMP.TLSKey, watch("rtmps"))
	if err != nil {
		return fmt.Errorf("rtmp.tls_cert: %w", err)
	}
	httpFiles, err := cert.OpenFiles(o.cfg.HTTP.TLSCert, o.cfg.HTTP.TLSKey, watch("https"))
	if err != nil {
		return fmt.Errorf("http.tls_cert: %w", err)
	}
	o.ports.read = []*cert.Files{rtmpFiles, httpFiles}
	acme := cert.NewAuthority(o.cfg.ACME, watch("acme"))
	rtmpTLS, httpTLS := acme.TLS(rtmpFiles.TLS()), acme.TLS(httpFiles.TLS())
	if rtmpTLS != nil {
		o.ports.TLS = speaking(rtmpTLS, acme.Protocols(nil))
	}
	encoders, viewers, err := o.doors()
	if err != nil {
		return err
	}
	secure, front := o.rooms.Viewers, Front(o.rooms, acme)
	if o.cfg.HTTP.HTTP3 && httpTLS != nil {
		pc := o.handed.UDP("http3")
		if pc == nil {
			if pc, err = net.ListenPacket("udp", o.cfg.HTTP.TLSAddr); err != nil {
				return fmt.Errorf("http.http3: %w", err)
			}
		}
		socket := pc.(*net.UDPConn) // Sockets takes no other
		o.ports.sockets["http3"] = socket
		door := NewQUICDoor(viewers, o.cfg.HTTP.MaxPerAddress)
		var advertise func(http.Handler) http.Handler
		quic, err := newLives(socket, func(pc net.PacketConn) (w Way) {
			w, advertise = QUIC(o.rooms.Viewers, pc, httpTLS, door)
			return w
		})
		if err != nil {
			socket.Close()
			return fmt.Errorf("http.http3: %w", err)
		}
		o.ports.Ways = append(o.ports.Ways, quic)
		secure = advertise(o.rooms.Viewers)
	}
	if o.cfg.RTMP.Tunnel {
		tunnel := o.tunnel(encoders)
		o.ports.RTMP = append(o.ports.RTMP, tunnel)
		secure, front = tunnel.Handler(secure), tunnel.Handler(front)
	}
	rtmp := func(l net.Listener) { o.ports.RTMP = append(o.ports.RTMP, l) }
	web := func(h http.Handler) func(net.Listener) {
		return func(l net.Listener) {
			s := newServer(o.ports.shown(h), o.rooms.Log)
			lookInside(s)
			o.ports.Ways = append(o.ports.Ways, serverWay(s, l))
		}
	}
	addr := &o.ports.Addr
	lost := &astray{log: o.log, now: time.Now, told: make(map[netip.Prefix]time.Time), addr: func(listener string) net.Addr {
		return map[string]net.Addr{"rtmp": addr.RTMP, "rtmps": addr.RTMPS, "http": addr.HTTP, "https": addr.HTTPS}[listener]
	}}
	for _, port := range []struct {
		name, field string
		addr        string
		tls         *tls.Config
		secure      bool
		protocols   []string // by ALPN
		door        *door.Door
		use         func(net.Listener)
		bound       *net.Addr
	}{
		{"rtmp", "rtmp.addr", o.cfg.RTMP.Addr, nil, false, nil, encoders, rtmp, &addr.RTMP},
		{"rtmps", "rtmp.tls_addr", o.cfg.RTMP.TLSAddr, rtmpTLS, true, nil, encoders, rtmp, &addr.RTMPS},
		{"http", "http.addr", o.cfg.HTTP.Addr, nil, false, nil, viewers, web(front), &addr.HTTP},
		{"https", "http.tls_addr", o.cfg.HTTP.TLSAddr, httpTLS, true, []string{"h2", "http/1.1"}, viewers, web(secure), &addr.HTTPS},
		{"admin", "admin.addr", o.cfg.Admin.Addr, nil, false, nil, o.adminDoor(), o.operators, &addr.Admin},
	} {
		if port.secure && port.tls == nil {
			continue
		}
		l := o.handed.TCP(port.name)
		if l == nil && port.addr == "" {
			continue
		}
		if l == nil {
			l, err = net.Listen("tcp", port.addr)
			switch {
			case errors.Is(err, syscall.EADDRINUSE):
				return fmt.Errorf("%s: %w: end the program that has it (another sluice?), or choose another port", port.field, err)
			case err != nil:
				return fmt.Errorf("%s: %w", port.field, err)
			}
		}
		*port.bound = l.Addr()
		if t, ok := l.(*net.TCPListener); ok {
			r := newResting(t)
			o.ports.sockets[port.name], o.ports.listeners, l = t, append(o.ports.listeners, r), r
		}
		o.ports.asks = append(o.ports.asks, asking{port.name, l.Addr(), port.door.Proxied(loopback)})
		if port.door == encoders {
			l = o.gathered(l)
		}
		l = port.door.Listener(l, port.name, refusals[port.name])
		if port.door != encoders { // those say by themselves what they don't understand
			l = &astrayListener{l, lost, port.name, port.secure}
		}
		if port.secure {
			l = tls.NewListener(l, nameless(speaking(port.tls, acme.Protocols(port.protocols))))
		}
		port.use(l)
	}
	return nil
}

// tunnel takes encoders in by HTTP. Its sessions are counted like connections.
func (o *opening) tunnel(encoders *door.Door) *rtmpt.Tunnel {
	return rtmpt.New(rtmpt.Rules{
		Enter:   func(from netip.Addr) (func(), error) { return encoders.Enter("rtmpt", from) },
		Locate:  o.spokenFor,
		Metrics: o.metrics,
	})
}

// errUnnamed is for a proxy in whose name anybody could publish who may not.
var errUnnamed = errors.New("a proxy that http.forwarded_from doesn't name: where its clients are can't be told")

// spokenFor puts the encoder's address in the place of a proxy's.
func (o *opening) spokenFor(r *http.Request) error {
	peer := r.RemoteAddr
	if err := o.rooms.Locate(r); err != nil {
		return err
	}
	if r.RemoteAddr == peer && (r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "") {
		return errUnnamed
	}
	return nil
}

// speaking is a configuration for listeners that speak these protocols, by ALPN.
func speaking(c *tls.Config, protocols []string) *tls.Config {
	c = c.Clone()
	c.NextProtos = protocols
	return c
}

// Front is what answers on http.addr: ACME's authority, and viewers.
func Front(r Rooms, acme *cert.Authority) http.Handler { return r.Front(acme.Answers(r.Viewers)) }

// gathered is for encoders: all of them send all the time. Viewers ask, and wait
// for the answer.
func (o *opening) gathered(l net.Listener) net.Listener {
	l, err := gather.Listener(l)
	if err != nil {
		o.log.Warn().Err(err).Msg("each packet of an encoder wakes the server: it works, but costs more")
	}
	return l
}

// operators serves those who come in by a listener.
func (o *opening) operators(l net.Listener) {
	c := &counter{Listener: l, most: spareDescriptors * 3 / 8}
	s := newServer(o.ports.shown(o.rooms.Operators(c.attend)), o.rooms.Log)
	s.ConnContext = c.remember
	o.ports.Ways = append(o.ports.Ways, serverWay(s, c))
}
