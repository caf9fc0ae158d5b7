package ports

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// inn is HTTP/3 behind a door.
type inn struct {
	t       *testing.T
	door    *QUICDoor
	metrics *metrics.Set
	addr    *net.UDPAddr
	events  chan door.Event
}

func openInn(t *testing.T, limits door.Limits) *inn {
	t.Helper()
	t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // guests' sockets are no UDPConn
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := &inn{t: t, metrics: metrics.New(), addr: pc.LocalAddr().(*net.UDPAddr), events: make(chan door.Event, 10)}
	i.door = NewQUICDoor(door.New(limits, i.metrics, time.Now, func(e door.Event) { i.events <- e }), limits.PerAddress)
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	way, _ := QUIC(hello, pc, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}, i.door)
	done := make(chan error)
	go func() { done <- way.Serve() }()
	t.Cleanup(func() {
		way.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		eventually(t, "all have left", func() bool {
			return i.count("sluice_connections", `listener="http3"`) == "0" && i.door.unproven.Load() == 0
		})
	})
	return i
}

// count is a metric's value, or empty.
func (i *inn) count(metric, label string) string {
	w := httptest.NewRecorder()
	i.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if value, ok := strings.CutPrefix(line, metric+"{"+label+"} "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// guest is a viewer with a socket, and so a connection, of his own.
type guest struct {
	http3.Transport
	socket *quic.Transport
	heard  *retries
}

// retries counts the Retry packets that arrive.
type retries struct {
	net.PacketConn
	n atomic.Int64
}

func (r *retries) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := r.PacketConn.ReadFrom(b)
	// RFC 9000, section 17.2.5: a long header, and the type 3.
	if err == nil && n > 0 && b[0]&0xf0 == 0xf0 {
		r.n.Add(1)
	}
	return n, from, err
}

func (i *inn) guest(check func() error) *guest {
	i.t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		i.t.Fatal(err)
	}
	g := &guest{heard: &retries{PacketConn: pc}}
	g.socket = &quic.Transport{Conn: g.heard}
	g.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { return check() }}
	g.Dial = func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
		return g.socket.Dial(ctx, i.addr, c, q)
	}
	i.t.Cleanup(g.leave)
	return g
}

func (g *guest) leave() {
	g.Close()
	g.socket.Close()
	g.heard.Close()
}

func (g *guest) ask(i *inn) error {
	ctx, cancel := context.WithTimeout(i.t.Context(), 10*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "https://"+i.addr.String()+"/", nil)
	answer, err := g.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if b, err := io.ReadAll(answer.Body); err != nil || string(b) != "hello" {
		return errors.New("another answer: " + string(b))
	}
	return nil
}

func trusting() error { return nil }

// refused tells whether a connection was refused, rather than failed.
func refused(err error) bool {
	var e *quic.TransportError
	return errors.As(err, &e) && e.ErrorCode == quic.ConnectionRefused
}

// TestQUICEntrance: connections over UDP have the limits of those over TCP.
func TestQUICEntrance(t *testing.T) {
	for _, row := range []struct {
		what   metrics.Limit
		limits door.Limits
	}{
		{metrics.Connections, door.Limits{Connections: 2}},
		{metrics.ConnectionsPerAddress, door.Limits{Connections: 100, PerAddress: 2}},
		{metrics.ConnectionRate, door.Limits{Connections: 100, Rate: 0.001, Burst: 2}},
	} {
		t.Run(string(row.what), func(t *testing.T) {
			i := openInn(t, row.limits)
			first := i.guest(trusting)
			for _, g := range []*guest{first, i.guest(trusting)} {
				if err := g.ask(i); err != nil {
					t.Fatal(err)
				}
			}
			if n := i.count("sluice_connections", `listener="http3"`); n != "2" {
				t.Errorf("%s connections are counted", n)
			}
			if err := i.guest(trusting).ask(i); !refused(err) {
				t.Errorf("the third: %v", err)
			}
			if err := first.ask(i); err != nil {
				t.Errorf("one who is in: %v", err)
			}
			// One for each packet that the hello comes in.
			if n := i.count("sluice_refused_total", `what="`+string(row.what)+`"`); n == "" {
				t.Error("no refusal is counted")
			}
			if e := <-i.events; e.What != row.what || e.Listener != "http3" || e.Remote.String() != "127.0.0.1" {
				t.Errorf("told of %+v", e)
			}
			if row.what == metrics.ConnectionRate {
				return
			}
			first.leave()
			eventually(t, "one who has left makes room", func() bool { return i.guest(trusting).ask(i) == nil })
		})
	}
}

// TestQUICUnproven: while many have not shown that they are where their packets
// say, others are asked to, and get in.
func TestQUICUnproven(t *testing.T) {
	i := openInn(t, door.Limits{Connections: 100, PerAddress: 8}) // so two may be unproven
	if i.door.most != 2 {
		t.Fatalf("%d may be unproven", i.door.most)
	}
	resume := make(chan bool)
	asked := make(chan error, 2)
	for range 2 {
		g := i.guest(func() error { <-resume; return nil }) // never says that it has read our certificate
		go func() { asked <- g.ask(i) }()
	}
	eventually(t, "two are unproven", func() bool { return i.door.unproven.Load() == 2 })
	late := i.guest(trusting)
	if err := late.ask(i); err != nil || late.heard.n.Load() == 0 {
		t.Errorf("one who comes then: %v, after %d times Retry", err, late.heard.n.Load())
	}
	if n := i.door.unproven.Load(); n != 2 {
		t.Errorf("%d are unproven", n)
	}
	close(resume)
	for range 2 {
		if err := <-asked; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "all are proven", func() bool { return i.door.unproven.Load() == 0 })
	last := i.guest(trusting)
	if err := last.ask(i); err != nil || last.heard.n.Load() != 0 {
		t.Errorf("one who comes later: %v, after %d times Retry", err, last.heard.n.Load())
	}
}
