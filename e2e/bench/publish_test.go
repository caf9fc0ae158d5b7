//go:build linux

package main

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

// lastTags is a server's end that keeps each stream's last timestamp.
type lastTags struct {
	mu sync.Mutex
	at map[string]uint32
}

func (l *lastTags) Publish(_ context.Context, r ingest.Request) (string, ingest.Sink, error) {
	return r.Name, lastTag{l, r.Name}, nil
}

type lastTag struct {
	*lastTags
	stream string
}

func (s lastTag) WriteTag(tag flv.Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[s.stream] = tag.Timestamp
	return nil
}

func (lastTag) Close(error) {}

// A real server reads what the publisher sends behind the client's dialogue.
func TestPublisherIsUnderstood(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got := &lastTags{at: map[string]uint32{}}
	s := ingest.Server{Handler: got, Log: zerolog.Nop(), Now: time.Now, Limits: ingest.Limits{
		HandshakeTimeout: time.Second, PublishTimeout: time.Second, IdleTimeout: time.Minute, WriteTimeout: time.Second,
		Chunk: chunk.DefaultLimits(),
	}}
	var served sync.WaitGroup
	served.Go(func() { s.Serve(ctx, l) })
	p := publisher{addr: l.Addr().String(), streams: 3, kind: "light", length: 2500 * time.Millisecond}
	var out strings.Builder
	if err := p.run(ctx, &out); err != nil {
		t.Error(err)
	}
	cancel()
	served.Wait()
	if !strings.HasPrefix(out.String(), started+"\n{") {
		t.Errorf("it says %q", out.String())
	}
	for _, name := range []string{"s0", "s1", "s2"} {
		if at := got.at[name]; at < 200 || at > 3000 {
			t.Errorf("the last of %s that came is at %d ms", name, at)
		}
	}
}

// A floor reads all, and lets go of a peer that leaves.
func TestFloorsRead(t *testing.T) {
	for _, read := range []func(net.Listener) error{
		readEach, func(l net.Listener) error { return readRounds(l.(*net.TCPListener)) },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go read(l) // a program's whole life
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := nc.Write(make([]byte, 4<<20)); err != nil {
			t.Error(err)
		}
		nc.(*net.TCPConn).CloseWrite()
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("it ends with %v", err)
		}
		nc.Close()
	}
}
