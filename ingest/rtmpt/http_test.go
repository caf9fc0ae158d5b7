package rtmpt_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/rtmpt"
)

// house is ingest behind a tunnel behind net/http, in fake time.
type house struct {
	t     *testing.T
	lines *line
	log   *journal
	mu    sync.Mutex
	sinks []*sink
	asked []ingest.Request
}

// journal is a log.
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

func inhabited(t *testing.T, f func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, lines: &line{conns: make(chan net.Conn), closed: make(chan struct{})}, log: new(journal)}
		tunnel := rtmpt.New(rtmpt.Rules{
			Enter:  func(netip.Addr) (func(), error) { return func() {}, nil },
			Locate: func(*http.Request) error { return nil },
		})
		s := &ingest.Server{
			Limits: ingest.Limits{
				HandshakeTimeout: 5 * time.Second, PublishTimeout: 10 * time.Second, IdleTimeout: 15 * time.Second,
				WriteTimeout: 10 * time.Second, MessageTimeout: 30 * time.Second, Chunk: chunk.DefaultLimits(),
			},
			Handler: h, Log: zerolog.New(h.log), Now: time.Now,
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, tunnel) }()
		web := &http.Server{Handler: tunnel.Handler(http.NotFoundHandler()), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
		go web.Serve(h.lines)
		f(h)
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		web.Close()
		h.lines.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

func (h *house) Publish(_ context.Context, r ingest.Request) (string, ingest.Sink, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r)
	if r.Name == "secret" {
		return "", nil, fmt.Errorf("not that one: %w", ingest.ErrDenied)
	}
	s := new(sink)
	h.sinks = append(h.sinks, s)
	return "live/" + r.Name, s, nil
}

// sink keeps what it gets. It is read behind synctest.Wait.
type sink struct {
	tags   []string
	closed int
	cause  error
}

func (s *sink) WriteTag(t flv.Tag) error {
	s.tags = append(s.tags, fmt.Sprintf("%v %d %x", t.Type, t.Timestamp, t.Body))
	return nil
}
func (s *sink) Close(cause error) { s.closed, s.cause = s.closed+1, cause }

// line is a listener in memory.
type line struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *line) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *line) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *line) Addr() net.Addr { return new(net.TCPAddr) }

func (l *line) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

// tunnelled is a client's end of a session, over one connection or, where fresh, a
// new one for each request.
type tunnelled struct {
	h     *house
	fresh bool

	mu     sync.Mutex
	nc     net.Conn
	r      *bufio.Reader
	id     string
	seq    int
	got    []byte
	closed bool
}

func (h *house) dial(fresh bool) *tunnelled {
	c := &tunnelled{h: h, fresh: fresh}
	id, err := c.ask("/open/1", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	c.id = strings.TrimSpace(string(id))
	return c
}

func (c *tunnelled) ask(path string, body []byte) ([]byte, error) {
	if c.nc == nil || c.fresh {
		if c.nc != nil {
			c.nc.Close()
		}
		c.nc = c.h.lines.dial()
		c.r = bufio.NewReader(c.nc)
	}
	fmt.Fprintf(c.nc, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, len(body))
	if _, err := c.nc.Write(body); err != nil {
		return nil, err
	}
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.Status, b)
	}
	return b, err
}

// turn makes the next request.
func (c *tunnelled) turn(verb string, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	b, err := c.ask(fmt.Sprintf("/%s/%s/%d", verb, c.id, c.seq), body)
	if err != nil {
		return err
	}
	c.seq++
	c.got = append(c.got, b[1:]...)
	return nil
}

func (c *tunnelled) Write(b []byte) (int, error) { return len(b), c.turn("send", b) }

func (c *tunnelled) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		n := copy(b, c.got)
		c.got = c.got[n:]
		c.mu.Unlock()
		if n > 0 || len(b) == 0 {
			return n, nil
		}
		time.Sleep(50 * time.Millisecond)
		if err := c.turn("idle", []byte{0}); err != nil {
			return 0, err
		}
	}
}

func (c *tunnelled) Close() error {
	err := c.turn("close", []byte{0})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.nc.Close()
	return err
}

func (c *tunnelled) LocalAddr() net.Addr              { return new(net.TCPAddr) }
func (c *tunnelled) RemoteAddr() net.Addr             { return new(net.TCPAddr) }
func (c *tunnelled) SetDeadline(time.Time) error      { return nil }
func (c *tunnelled) SetReadDeadline(time.Time) error  { return nil }
func (c *tunnelled) SetWriteDeadline(time.Time) error { return nil }

// A publisher comes by a tunnel as by any connection, its goodbye included; that
// it closes the session is one, too.
func TestPublish(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		for _, goodbye := range []bool{false, true} {
			inhabited(t, func(h *house) {
				p, err := client.New(h.dial(fresh), "live", "cam1", "rtmpt://x/live")
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for i := range uint32(50) {
					tag := flv.Tag{Type: flv.TagVideo, Timestamp: 40 * i, Body: bytes.Repeat([]byte{byte(i)}, int(i)*3000)}
					want = append(want, fmt.Sprintf("%v %d %x", tag.Type, tag.Timestamp, tag.Body))
					if err := p.WriteTag(tag); err != nil {
						t.Fatal(err)
					}
				}
				if goodbye {
					p.Close()
				} else {
					p.Abort() // which closes the session
				}
				synctest.Wait()
				s := h.sinks[0]
				if got := strings.Join(s.tags, "\n"); got != strings.Join(want, "\n") {
					t.Errorf("%d tags came, %d were sent", len(s.tags), len(want))
				}
				if s.closed != 1 || s.cause != nil {
					t.Errorf("closed %d times, cause %v", s.closed, s.cause)
				}
				if log := h.log.String(); !strings.Contains(log, `"protocol":"rtmpt"`) || h.asked[0].Encrypted {
					t.Errorf("%+v\n%s", h.asked[0], log)
				}
			})
		}
	}
}

// Who is refused hears why.
func TestRefusedPublisher(t *testing.T) {
	inhabited(t, func(h *house) {
		c := h.dial(false)
		_, err := client.New(c, "live", "secret", "rtmpt://x/live")
		if err == nil || !strings.Contains(err.Error(), "NetStream.Publish.Denied") {
			t.Error(err)
		}
		c.Close()
	})
}

// A client that goes away without a word is waited for like any other.
func TestLostPublisher(t *testing.T) {
	inhabited(t, func(h *house) {
		c := h.dial(false)
		p, err := client.New(c, "live", "cam1", "rtmpt://x/live")
		if err != nil {
			t.Fatal(err)
		}
		p.WriteTag(flv.Tag{Type: flv.TagVideo, Body: []byte("x")})
		c.mu.Lock()
		c.nc.Close()
		c.closed = true
		c.mu.Unlock()
		time.Sleep(17 * time.Second)
		synctest.Wait()
		if s := h.sinks[0]; s.closed != 1 || s.cause == nil {
			t.Errorf("closed %d times, cause %v", s.closed, s.cause)
		}
		p.Abort()
	})
}

// F20, by HTTP: a body a byte at a time, none at all, and an answer that nobody takes
// are given up in bounded time.
func TestF20SlowTunnel(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(nc net.Conn, id string)
		most time.Duration
	}{
		{"a body a byte at a time", func(nc net.Conn, id string) {
			fmt.Fprintf(nc, "POST /send/%s/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", id)
			for {
				if _, err := nc.Write([]byte{3}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}, 12 * time.Second},
		{"no body", func(nc net.Conn, id string) {
			fmt.Fprintf(nc, "POST /send/%s/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", id)
			io.Copy(io.Discard, nc)
		}, 12 * time.Second},
		{"no body to open", func(nc net.Conn, _ string) {
			fmt.Fprint(nc, "POST /open/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
			io.Copy(io.Discard, nc)
		}, 12 * time.Second},
		{"a body for nobody", func(nc net.Conn, _ string) {
			fmt.Fprint(nc, "POST /send/nobody/0 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
			io.Copy(io.Discard, nc)
		}, 2 * time.Second},
	} {
		inhabited(t, func(h *house) {
			id := h.dial(false)
			nc := h.lines.dial()
			began := time.Now()
			go io.Copy(io.Discard, nc)
			c.do(nc, id.id)
			if took := time.Since(began); took > c.most {
				t.Errorf("%s: %v", c.name, took)
			}
			nc.Close()
			id.nc.Close()
			synctest.Wait()
			// The session itself is ingest's: its handshake has a deadline.
			time.Sleep(10 * time.Second)
			if err := id.turn("idle", nil); err == nil || errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}
