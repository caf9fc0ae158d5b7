package client_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// halves is an end of a connection whose two ways close one by one, as TCP's do.
type halves struct {
	net.Conn          // what comes
	out      net.Conn // what goes
}

func connection() (a, b halves) {
	in, theirs := net.Pipe()
	out, ours := net.Pipe()
	return halves{in, out}, halves{ours, theirs}
}

func (h halves) Write(b []byte) (int, error)        { return h.out.Write(b) }
func (h halves) CloseWrite() error                  { return h.out.Close() }
func (h halves) Close() error                       { h.out.Close(); return h.Conn.Close() }
func (h halves) SetWriteDeadline(t time.Time) error { return h.out.SetWriteDeadline(t) }
func (h halves) SetDeadline(t time.Time) error {
	h.out.SetWriteDeadline(t)
	return h.SetReadDeadline(t)
}

// once is a listener of one connection.
type once struct {
	conns chan net.Conn
	done  <-chan struct{}
}

func (o once) Accept() (net.Conn, error) {
	select {
	case nc := <-o.conns:
		return nc, nil
	case <-o.done:
		return nil, net.ErrClosed
	}
}
func (o once) Close() error   { return nil }
func (o once) Addr() net.Addr { return nil }

// behindhand is a server that takes that long to come to the end of a publication.
type behindhand time.Duration

func (b behindhand) Publish(context.Context, ingest.Request) (string, ingest.Sink, error) {
	return "live/x", b, nil
}
func (behindhand) WriteTag(flv.Tag) error { return nil }
func (b behindhand) Close(error)          { time.Sleep(time.Duration(b)) }

// A publisher stays until the server has read all: whoever closes first loses what is on its
// way. It stays no longer than the server may take, and than it is in no hurry.
func TestCloseIsBehindAll(t *testing.T) {
	const hurry = 2 * time.Second
	for _, c := range []struct {
		name        string
		takes, stay time.Duration
		hurried     bool
	}{
		{"a server that is behind", 5 * time.Second, 5 * time.Second, false},
		{"one that never gets there", time.Minute, 10 * time.Second, false},
		{"in a hurry", 5 * time.Second, hurry + time.Second, true},
	} {
		for end, closes := range map[string]func(*client.Publisher) error{"goodbye": (*client.Publisher).Close, "no goodbye": (*client.Publisher).Leave} {
			t.Run(c.name+", "+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					near, far := connection()
					ctx, stop := context.WithCancel(t.Context())
					l := once{make(chan net.Conn, 1), ctx.Done()}
					l.conns <- far
					server := &ingest.Server{Handler: behindhand(c.takes), Log: zerolog.Nop(), Now: time.Now, Limits: ingest.Limits{
						HandshakeTimeout: time.Minute, PublishTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
						Chunk: chunk.DefaultLimits(),
					}}
					done := make(chan error)
					go func() { done <- server.Serve(ctx, l) }()
					p, err := client.New(near, "live", "x", "rtmp://h/live")
					if err != nil {
						t.Fatal(err)
					}
					began := time.Now()
					if c.hurried {
						time.AfterFunc(hurry, p.Hurry)
					}
					closes(p)
					if stayed := time.Since(began); stayed != c.stay {
						t.Errorf("it stays for %v, and not for %v", stayed, c.stay)
					}
					stop()
					<-done
				})
			})
		}
	}
}
