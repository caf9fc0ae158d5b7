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

	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/cmd/sluice/ports"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// TestF19SlowHTTP3 is TestF19SlowHTTP's last row over UDP, which has no fake
// time: an answer that is not read is broken off, and the next one isn't.
func TestF19SlowHTTP3(t *testing.T) {
	const timeout = 500 * time.Millisecond
	catalog, segment, _ := fullCatalog(t)
	ask := overQUIC(t, catalog, timeout)
	slow := ask(segment)
	time.Sleep(2 * timeout)
	if b, err := io.ReadAll(slow.Body); err == nil || len(b) >= 1<<20 {
		t.Errorf("after %v without reading, %d bytes come, then %v", 2*timeout, len(b), err)
	}
	if b, err := io.ReadAll(ask(segment).Body); err != nil || len(b) < 1<<20 {
		t.Errorf("a good viewer: %d bytes, %v", len(b), err)
	}
}

// TestF34SlowHTTP3 is TestF34SlowViewers over UDP.
func TestF34SlowHTTP3(t *testing.T) {
	if siege(0, 1) == 0 {
		t.Skip("takes 20 s, as UDP has no fake time (make attack): TestF34SlowViewers has the other protocols")
	}
	const timeout = 5 * time.Second
	catalog, segment, _ := fullCatalog(t)
	name, _ := packager.ParseStreamName("live", "cam1")
	stream, _ := catalog.Lookup(name)
	r := &stream.Window().Renditions[0]
	stays, size := stream.Window().Stays(r, r.Segments[0]), r.Segments[0].Size
	began := time.Now()
	answer := overQUIC(t, catalog, timeout)(segment)
	const piece, each = 8 << 10, 100 * time.Millisecond // more than 256 KiB in the timeout
	got := 0
	for {
		n, err := io.ReadFull(answer.Body, make([]byte, piece))
		if got += n; err != nil {
			break
		}
		time.Sleep(each)
	}
	took := time.Since(began)
	t.Logf("F34 HTTP/3: given up after %v with %d of %d bytes; the segment stays for %v", took.Round(time.Millisecond), got, size, stays)
	const inFlight = 512 << 10 / piece * each // what the client has already is read on
	if got >= size || took > stays+timeout+inFlight {
		t.Error("that is too long")
	}
}

// openDoor lets everybody in.
func openDoor() *door.Door {
	return door.New(door.Limits{}, metrics.New(), time.Now, func(door.Event) {})
}

// overQUIC serves a catalog by HTTP/3, and returns what asks for a path.
func overQUIC(t *testing.T, catalog *packager.Catalog, timeout time.Duration) (ask func(path string) *http.Response) {
	n := newNotary(t, "")
	server := &httpserve.Server{Catalog: catalog, Hold: time.Second, WriteTimeout: timeout, Log: zerolog.Nop(), Now: time.Now}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way, _ := ports.QUIC(server.Handler(), pc, &tls.Config{Certificates: []tls.Certificate{n.certificate(t)}}, ports.NewQUICDoor(openDoor(), 0))
	done := make(chan error)
	go func() { done <- way.Serve() }()
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() {
		transport.Close()
		way.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(path string) *http.Response {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		t.Cleanup(cancel)
		r, _ := http.NewRequestWithContext(ctx, "GET", "https://"+pc.LocalAddr().String()+path, nil)
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}
}
