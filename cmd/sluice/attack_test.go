package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/access"
)

// fort is the server on free ports of this machine, in this process.
type fort struct {
	*app
	log *journal
}

// journal keeps what is logged.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// hold starts a server, and ends it with the test. Nobody is exempt from the
// limits unless change says so.
func hold(t testing.TB, change func(*config.Config)) *fort {
	t.Helper()
	cfg := config.Default()
	cfg.RTMP.Addr, cfg.HTTP.Addr, cfg.Admin.Addr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.RTMP.UnlimitedFrom, cfg.HTTP.UnlimitedFrom = nil, nil
	if change != nil {
		change(&cfg)
	}
	f := &fort{log: new(journal)}
	var err error
	if f.app, err = listen(cfg, zerolog.New(f.log)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- f.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fort) dial(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return nc
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 10 s: %s", what)
		}
	}
}

func get(t testing.TB, nc net.Conn, path string) *http.Response {
	t.Helper()
	io.WriteString(nc, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The front page knows where encoders come in, and what they need now.
func TestFrontPage(t *testing.T) {
	f := hold(t, nil)
	page := func() string {
		text, _ := io.ReadAll(get(t, f.dial(t, f.ports.Addr.HTTP), "/").Body)
		return string(text)
	}
	port := fmt.Sprintf("{&#34;rtmp&#34;:%d", f.ports.Addr.RTMP.(*net.TCPAddr).Port)
	if text := page(); !strings.Contains(text, port+"}") {
		t.Errorf("no %s}", port)
	}
	p := f.cfg.Publish
	p.Keys = map[string]string{"cam1": access.HashKey("key").String()}
	p.Users = map[string]string{"anna": "a long password"}
	if err := f.rules.replace(p, f.cfg.Watch); err != nil {
		t.Fatal(err)
	}
	if text := page(); !strings.Contains(text, port+",&#34;needs&#34;:[&#34;key&#34;,&#34;login&#34;]}") {
		t.Error("it doesn't know of keys")
	}
}

// A viewer who opens too many connections is told so, in HTTP and in the log.
func TestTooManyConnections(t *testing.T) {
	f := hold(t, func(c *config.Config) { c.HTTP.MaxPerAddress, c.RTMP.MaxPerAddress = 2, 2 })
	first := f.dial(t, f.ports.Addr.HTTP)
	get(t, first, "/")
	get(t, f.dial(t, f.ports.Addr.HTTP), "/")
	r := get(t, f.dial(t, f.ports.Addr.HTTP), "/")
	if text, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(text), "too many connections from your address") {
		t.Errorf("the third is answered %s: %s", r.Status, text)
	}
	first.Close()
	eventually(t, "a place is free again", func() bool {
		return get(t, f.dial(t, f.ports.Addr.HTTP), "/").StatusCode == http.StatusOK
	})
	for range 2 {
		f.dial(t, f.ports.Addr.RTMP)
	}
	nc := f.dial(t, f.ports.Addr.RTMP)
	if n, err := nc.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("the third encoder is let in")
	}
	eventually(t, "the log says what to do", func() bool {
		log := f.log.String()
		return strings.Count(log, "max_per_address is reached") == 2 && strings.Contains(log, `"remote":"127.0.0.1"`)
	})
}

// Limits and rules go by the address that a proxy names, and only such a proxy
// may name one.
func TestProxyProtocol(t *testing.T) {
	const header = "PROXY TCP4 192.0.2.55 127.0.0.1 4711 80\r\n"
	t.Run("from a proxy", func(t *testing.T) {
		f := hold(t, func(c *config.Config) {
			c.HTTP.ProxyProtocolFrom, c.RTMP.ProxyProtocolFrom = []string{"loopback"}, []string{"loopback"}
			c.HTTP.MaxPerAddress = 1
		})
		first := f.dial(t, f.ports.Addr.HTTP)
		io.WriteString(first, header)
		if r := get(t, first, "/"); r.StatusCode != http.StatusOK {
			t.Errorf("by way of the proxy: %s", r.Status)
		}
		second := f.dial(t, f.ports.Addr.HTTP)
		io.WriteString(second, header+"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if b, _ := io.ReadAll(second); len(b) > 0 {
			t.Errorf("the second of one viewer: %q", b)
		}
		encoder := f.dial(t, f.ports.Addr.RTMP)
		io.WriteString(encoder, header+"nonsense")
		io.ReadAll(encoder)
		eventually(t, "the log names the encoder", func() bool { return strings.Contains(f.log.String(), `"remote":"192.0.2.55:4711"`) })
		silent := f.dial(t, f.ports.Addr.RTMP)
		io.WriteString(silent, "\x03 no header here, but enough bytes")
		io.ReadAll(silent)
		eventually(t, "the log tells of the missing header", func() bool { return strings.Contains(f.log.String(), `"what":"proxy_header"`) })
	})
	t.Run("from anybody", func(t *testing.T) {
		f := hold(t, func(c *config.Config) {
			c.HTTP.ProxyProtocolFrom, c.RTMP.ProxyProtocolFrom = []string{"192.0.2.0/24"}, []string{"192.0.2.0/24"}
		})
		viewer := f.dial(t, f.ports.Addr.HTTP)
		io.WriteString(viewer, header)
		if r := get(t, viewer, "/"); r.StatusCode != http.StatusBadRequest {
			t.Errorf("HTTP: %s", r.Status)
		}
		encoder := f.dial(t, f.ports.Addr.RTMP)
		io.WriteString(encoder, header)
		if b, _ := io.ReadAll(encoder); len(b) > 0 {
			t.Errorf("RTMP: %x", b)
		}
		eventually(t, "the log names who it was", func() bool { return strings.Contains(f.log.String(), `"remote":"127.0.0.1:`) })
		if strings.Contains(f.log.String(), "192.0.2.55") {
			t.Error("the header is believed")
		}
	})
}
