package main

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

// way is one way in for viewers.
type way struct {
	serve    func() error                // until it is closed, which is no error
	shutdown func(context.Context) error // lets requests under way end
	close    func() error
}

// headerTimeout is for TLS, and for each request's header.
const headerTimeout = 5 * time.Second

// maxStreams is how many requests of HTTP/2 and HTTP/3 one connection may have
// under way: a player has a handful, a cache opens another connection.
const maxStreams = 128

// tcpWay serves HTTP/1.1 and HTTP/2, with TLS where the listener has it.
func tcpWay(h http.Handler, l net.Listener, log zerolog.Logger) way {
	return serverWay(newServer(h, log), l)
}

func serverWay(s *http.Server, l net.Listener) way {
	return way{
		serve:    func() error { return ignoreClosed(s.Serve(l)) },
		shutdown: s.Shutdown,
		close:    func() error { return errors.Join(s.Close(), ignoreClosed(l.Close())) },
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
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      30 * time.Second, // of silence, then it is asked whether it lives
			PingTimeout:          15 * time.Second,
			WriteByteTimeout:     30 * time.Second,
		},
	}
}

// mistakes takes what net/http says of peers' mistakes. They make as many as they
// like: that is for who looks for one.
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
