package ports

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Way is one way in for viewers.
type Way struct {
	Serve    func() error                // until it is closed, which is no error
	Shutdown func(context.Context) error // lets requests under way end
	Close    func() error

	lives *lives // of one whose socket two processes can't share; else nil
}

// HeaderTimeout is for TLS, and for each request's header.
const HeaderTimeout = 5 * time.Second

// MaxStreams is how many requests of HTTP/2 and HTTP/3 one connection may have
// under way: a player has a handful, a cache opens another connection.
const MaxStreams = 128

// TCP serves HTTP/1.1 and HTTP/2, with TLS where the listener has it.
func TCP(h http.Handler, l net.Listener, log zerolog.Logger) Way {
	return serverWay(newServer(h, log), l)
}

func serverWay(s *http.Server, l net.Listener) Way {
	return Way{
		Serve:    func() error { return ignoreClosed(s.Serve(l)) },
		Shutdown: s.Shutdown,
		Close:    func() error { return errors.Join(s.Close(), ignoreClosed(l.Close())) },
	}
}

func newServer(h http.Handler, log zerolog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // for caches: they need no TLS to multiplex
	return &http.Server{
		Handler:           h,
		Protocols:         &protocols,
		ErrorLog:          stdlog.New(mistakes{log}, "", 0),
		ReadHeaderTimeout: HeaderTimeout,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: MaxStreams,
			SendPingTimeout:      30 * time.Second, // of silence, then it is asked whether it lives
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     30 * time.Second,
		},
	}
}

// mistakes takes what net/http says of peers' mistakes. Peers can cause any number
// of these: debug level only.
type mistakes struct{ log zerolog.Logger }

func (m mistakes) Write(b []byte) (int, error) {
	m.log.Debug().Str("cause", strings.TrimSpace(string(b))).Msg("viewer's connection failed")
	return len(b), nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
