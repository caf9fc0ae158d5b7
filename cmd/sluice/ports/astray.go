package ports

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config/address"
)

const (
	// astrayPause is how often an address is told of, at most.
	astrayPause = time.Minute
	// mostAstray is how many addresses are told of in that time: scanners come in numbers.
	mostAstray = 64
)

// astray tells of those who speak to viewers' and operators' ports what isn't spoken there:
// what net/http answers, encoders don't show.
//
//	first byte ─┬─ 3, 6, 8, 9: RTMP ─▶ closed at once: it waits for an answer that never comes
//	            └─ 0x16: TLS   else: HTTP ─▶ net/http, which answers
type astray struct {
	log  zerolog.Logger
	now  func() time.Time
	addr func(listener string) net.Addr // nil where it is off

	mu   sync.Mutex
	told map[netip.Prefix]time.Time
}

// astrayListener is a listener whose connections are looked at.
type astrayListener struct {
	net.Listener
	astray *astray
	name   string
	tls    bool // it is spoken there
}

// Accept is part of net.Listener.
func (l *astrayListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &newcomer{Conn: nc, to: l}, nil
}

// newcomer is a connection whose first byte is looked at. What is below belongs to
// net/http's goroutine of it.
type newcomer struct {
	net.Conn
	to    *astrayListener
	begun bool // something came
	ended bool // it was RTMP

	nameless, active, served bool // of TLS: see lookInside
}

// Read is part of net.Conn.
func (n *newcomer) Read(b []byte) (int, error) {
	if n.ended {
		return 0, io.EOF
	}
	read, err := n.Conn.Read(b)
	if n.begun || read == 0 {
		return read, err
	}
	n.begun = true
	switch first := b[0]; {
	case first == 3, first == 6, first == 8, first == 9:
		n.to.astray.encoder(n.to.name, n.RemoteAddr(), false)
		n.ended = true
		return 0, io.EOF // net/http answers nothing then
	case (first == recordOfTLS) != n.to.tls:
		n.to.astray.viewer(n.to.name, n.RemoteAddr(), n.to.tls)
	}
	return read, err
}

// recordOfTLS is the type of the record that a handshake begins with (RFC 8446, section 5.1).
const recordOfTLS = 0x16

// CloseWrite lets net/http end an answer that the peer must hear.
func (n *newcomer) CloseWrite() error {
	if t, ok := n.Conn.(interface{ CloseWrite() error }); ok {
		return t.CloseWrite()
	}
	return nil
}

// encoder tells of one who speaks RTMP, by TLS or without.
func (a *astray) encoder(listener string, remote net.Addr, encrypted bool) {
	ways := []struct{ listener, scheme string }{{"rtmp", "rtmp"}, {"rtmps", "rtmps"}}
	if encrypted {
		ways[0], ways[1] = ways[1], ways[0]
	}
	text := "there is none: rtmp.addr is empty"
	for i := len(ways) - 1; i >= 0; i-- {
		if tcp, ok := a.addr(ways[i].listener).(*net.TCPAddr); ok {
			text = fmt.Sprintf("%s://HOST:%d/APP/NAME", ways[i].scheme, tcp.Port)
		}
	}
	what := "an encoder has come to a port that isn't for encoders: it is hung up on"
	if encrypted {
		what = "somebody speaks TLS, but no HTTP inside of it: an encoder, at a port that isn't for encoders?"
	}
	a.tell(zerolog.WarnLevel, listener, remote, text, what)
}

// viewer tells of one who speaks TLS where there is none, or doesn't where there is.
func (a *astray) viewer(listener string, remote net.Addr, wanted bool) {
	other, text := "https", "somebody speaks TLS to a port that is without"
	if wanted {
		other, text = "http", "somebody speaks without TLS to a port that is with it"
	}
	right := "there is none: http.tls_addr or the certificate is missing"
	if tcp, ok := a.addr(other).(*net.TCPAddr); ok {
		right = fmt.Sprintf("%s://HOST:%d", other, tcp.Port)
	} else if wanted {
		right = "there is none: http.addr is empty"
	}
	a.tell(zerolog.InfoLevel, listener, remote, right, text)
}

func (a *astray) tell(level zerolog.Level, listener string, remote net.Addr, right, text string) {
	from := address.Home(address.Of(remote))
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if now.Sub(a.told[from]) < astrayPause {
		return
	}
	if len(a.told) >= mostAstray {
		for one, at := range a.told {
			if now.Sub(at) >= astrayPause {
				delete(a.told, one)
			}
		}
	}
	if len(a.told) >= mostAstray {
		return
	}
	a.told[from] = now
	a.log.WithLevel(level).Str("listener", listener).Stringer("remote", remote).Str("right", right).Msg(text)
}

// RTMP inside of TLS can't be looked at: net/http takes its own TLS connections alone. But
// it shows: encoders name no protocol by ALPN, as all browsers do, and something came that
// was never a request.

type newcomerKey struct{}

// nameless is for the configuration of TLS: it takes note of who names no protocol.
func nameless(c *tls.Config) *tls.Config {
	c = c.Clone()
	before := c.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if n, ok := hello.Conn.(*newcomer); ok {
			n.nameless = len(hello.SupportedProtos) == 0
		}
		if before != nil {
			return before(hello)
		}
		return nil, nil
	}
	return c
}

// lookInside has a server tell of those whose TLS has no request in it.
func lookInside(s *http.Server) {
	of := func(nc net.Conn) *newcomer {
		if t, ok := nc.(*tls.Conn); ok {
			if n, ok := t.NetConn().(*newcomer); ok && n.nameless {
				return n
			}
		}
		return nil
	}
	s.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if t, ok := nc.(*tls.Conn); ok {
			return context.WithValue(ctx, newcomerKey{}, t.NetConn())
		}
		return ctx
	}
	next := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && r.TLS.NegotiatedProtocol == "" {
			if n, ok := r.Context().Value(newcomerKey{}).(*newcomer); ok {
				n.served = true
			}
		}
		next.ServeHTTP(w, r)
	})
	s.ConnState = func(nc net.Conn, state http.ConnState) {
		switch n := of(nc); {
		case n == nil:
		case state == http.StateActive:
			n.active = true
		case state == http.StateClosed && n.active && !n.served:
			n.to.astray.encoder(n.to.name, n.RemoteAddr(), true)
		}
	}
}
