package door

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/pires/go-proxyproto"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// proxied is a connection by way of a proxy, which says in its first bytes for
// whom. They are read by whoever reads first: a proxy that is slow with them
// holds nobody else up.
type proxied struct {
	*proxyproto.Conn
	conn
	told atomic.Bool
}

func newProxied(l *listener, nc net.Conn) *proxied {
	p := &proxied{conn: conn{Conn: nc, place: place{door: l.door, name: l.name}}}
	p.Conn = proxyproto.NewConn(nc,
		proxyproto.WithPolicy(proxyproto.REQUIRE),
		proxyproto.SetReadHeaderTimeout(l.door.limits.HeaderTimeout),
		proxyproto.ValidateHeader(p.named))
	return p
}

// refusedError is what those are refused for who don't come by a listener.
type refusedError struct{ what metrics.Limit }

func (e *refusedError) Error() string { return fmt.Sprintf("refused: %s", e.what) }

// named counts the connection for the one that the header names. A header may
// name nobody: the proxy asks for itself whether we are here.
func (p *proxied) named(h *proxyproto.Header) error {
	if h.Command.IsLocal() || h.SourceAddr == nil {
		return nil
	}
	addr := address.Of(h.SourceAddr)
	what, ok := p.door.crowd.count(addr, &p.ticket)
	if ok {
		return nil
	}
	p.told.Store(true)
	p.door.refused(Event{What: what, Listener: p.name, Remote: addr})
	return &refusedError{what}
}

func (p *proxied) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if err != nil && (errors.Is(err, proxyproto.ErrNoProxyProtocol) || p.Conn.ProxyHeader() == nil) && p.told.CompareAndSwap(false, true) {
		p.door.refused(Event{What: metrics.ProxyHeader, Listener: p.name, Remote: address.Of(p.conn.Conn.RemoteAddr()), Err: err})
	}
	return n, err
}

// Close gives the places back.
func (p *proxied) Close() error { return p.conn.Close() }

// CloseWrite lets net/http end an answer that the peer must hear.
func (p *proxied) CloseWrite() error { return p.conn.CloseWrite() }
