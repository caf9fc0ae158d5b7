package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/systemd"
	"github.com/sluice-live/sluice/config"
)

// manager is what starts the program, for tests: it hears what systemd would.
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, path: filepath.Join(t.TempDir(), "notify")}
	var err error
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.conn.Close() })
	return m
}

// until hears until something has this text, and returns it.
func (m *manager) until(text string) string {
	m.t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for b := make([]byte, 4096); ; {
		n, err := m.conn.Read(b)
		if err != nil {
			m.t.Fatalf("never heard %s: %v", text, err)
		}
		if said := string(b[:n]); strings.Contains(said, text) {
			return said
		}
	}
}

// Whoever has started the program hears when it is ready, reads its configuration again, lives,
// and stops.
func TestManagerHears(t *testing.T) {
	m := newManager(t)
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", "127.0.0.1:0"
	c.RTMP.ProxyProtocolFrom, c.HTTP.ProxyProtocolFrom = []string{"loopback"}, []string{"loopback"}
	a, err := listen(c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	a.manager, err = systemd.NewManager(func(name string) string {
		return map[string]string{"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "3000000"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	hangup := make(chan os.Signal)
	a.again, a.reread = hangup, func() (config.Config, error) { return c, nil }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	if said := m.until("READY=1"); !strings.Contains(said, "STATUS=0 live streams, 0 viewers") {
		t.Error(said)
	}
	m.until("WATCHDOG=1")
	hangup <- syscall.SIGHUP
	m.until("RELOADING=1")
	m.until("READY=1")
	desk{a.gate, a}.Drain("")
	m.until("drained")
	cancel()
	if said := m.until("STOPPING=1"); !strings.Contains(said, "EXTEND_TIMEOUT_USEC=30000000") {
		t.Error(said)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The proof that a server serves fails where a port doesn't answer, or a lock is never given back.
func TestProofOfService(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Admin.Addr = "127.0.0.1:0" })
	prove := func(now time.Time) error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return r.serves(ctx, now)
	}
	for !r.ready.Load() || r.beat.Load() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if err := prove(time.Now()); err != nil {
		t.Error(err)
	}
	if err := prove(time.Now().Add(time.Minute)); err == nil || !strings.Contains(err.Error(), "walk through all rooms") {
		t.Errorf("a walk that is late: %v", err)
	}
}

// It fails, too, where a port takes connections and nobody is there for them.
func TestProofOfPorts(t *testing.T) {
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", ""
	a, err := listen(c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer a.ports.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = a.ports.Answer(ctx)
	if err == nil || !strings.Contains(err.Error(), "rtmp doesn't answer") || !strings.Contains(err.Error(), "http doesn't answer") {
		t.Errorf("nobody serves, and the proof says %v", err)
	}
}

// Sockets that are open already are used in the place of addresses, even of none.
func TestSocketActivation(t *testing.T) {
	open := func(name string) (*net.TCPListener, *os.File) {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fd, err := syscall.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		return l, os.NewFile(uintptr(fd), name)
	}
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", ""
	web, file := open("http")
	handed, err := systemd.Take(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := listenOn(c, handed, zerolog.Nop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.ports.Addr.HTTP.String(); got != web.Addr().String() {
		t.Errorf("it listens on %v, not on %v, which was handed to it", got, web.Addr())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	answer, err := http.Get("http://" + web.Addr().String() + "/")
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// The socket is still there: whoever comes next waits for the next start.
	nc, err := net.Dial("tcp", web.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()

	for _, name := range []string{"rtmps", "sluice.socket"} {
		_, file := open(name)
		if handed, err = systemd.Take(file); err != nil {
			t.Fatal(err)
		}
		if _, err = listenOn(c, handed, zerolog.Nop(), nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a socket called %s: %v", name, err)
		}
	}
}
