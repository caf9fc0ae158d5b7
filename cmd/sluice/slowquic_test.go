package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve"
)

// TestF19SlowHTTP3 is TestF19SlowHTTP's last row over UDP, which has no fake
// time: an answer that is not read is broken off, and the next one isn't.
func TestF19SlowHTTP3(t *testing.T) {
	const timeout = 500 * time.Millisecond
	n := newNotary(t, "")
	catalog, segment, _ := fullCatalog(t)
	server := &httpserve.Server{Catalog: catalog, Hold: time.Second, WriteTimeout: timeout, Log: zerolog.Nop(), Now: time.Now}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way, _ := quicWay(server.Handler(), pc, &tls.Config{Certificates: []tls.Certificate{n.certificate(t)}}, newEntrance(openDoor(), 0))
	done := make(chan error)
	go func() { done <- way.serve() }()
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() {
		transport.Close()
		way.close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	ask := func() *http.Response {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		t.Cleanup(cancel)
		r, _ := http.NewRequestWithContext(ctx, "GET", "https://"+pc.LocalAddr().String()+segment, nil)
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}
	slow := ask()
	time.Sleep(2 * timeout)
	if b, err := io.ReadAll(slow.Body); err == nil || len(b) >= 1<<20 {
		t.Errorf("after %v without reading, %d bytes come, then %v", 2*timeout, len(b), err)
	}
	if b, err := io.ReadAll(ask().Body); err != nil || len(b) < 1<<20 {
		t.Errorf("a good viewer: %d bytes, %v", len(b), err)
	}
}
