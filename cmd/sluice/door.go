package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// door is one way in for viewers.
type door struct {
	serve    func() error                // until it is closed, which is no error
	shutdown func(context.Context) error // lets requests under way end
	close    func() error
}

// tcpDoor serves HTTP/1.1 and HTTP/2, with TLS where the listener has it.
func tcpDoor(h http.Handler, l net.Listener) door {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // for caches: they need no TLS to multiplex
	s := &http.Server{
		Handler:           h,
		Protocols:         &protocols,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	return door{
		serve:    func() error { return ignoreClosed(s.Serve(l)) },
		shutdown: s.Shutdown,
		close:    func() error { return errors.Join(s.Close(), ignoreClosed(l.Close())) },
	}
}

// quicDoor serves HTTP/3. Handlers on TCP should tell of it by advertise.
func quicDoor(h http.Handler, pc net.PacketConn, config *tls.Config) (d door, advertise func(http.Handler) http.Handler) {
	s := &http3.Server{
		Handler:        h,
		TLSConfig:      http3.ConfigureTLSConfig(config),
		MaxHeaderBytes: 16 << 10,
		IdleTimeout:    60 * time.Second,
	}
	altSvc := fmt.Sprintf(`h3=":%d"; ma=86400`, pc.LocalAddr().(*net.UDPAddr).Port)
	d = door{
		serve:    func() error { return ignoreClosed(s.Serve(pc)) },
		shutdown: s.Shutdown,
		close:    func() error { return errors.Join(s.Close(), ignoreClosed(pc.Close())) },
	}
	return d, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Alt-Svc", altSvc)
			next.ServeHTTP(w, r)
		})
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
