package door

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"
	"go.uber.org/goleak"

	"github.com/sluice-live/sluice/ingest/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener whose connections come from wherever a test says.
type pipes struct {
	conns  chan any // net.Conn or error
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan any), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		if err, ok := c.(error); ok {
			return nil, err
		}
		return c.(net.Conn), nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

type from struct {
	net.Conn
	addr netip.Addr
}

func (f from) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(f.addr, 1)) }

// street is a door in fake time.
type street struct {
	t      *testing.T
	door   *Door
	l      net.Listener
	pipes  *pipes
	events []Event

	mu  sync.Mutex
	let []net.Conn // in order
}

func open(t *testing.T, limits Limits, f func(s *street)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &street{t: t, pipes: newPipes()}
		s.door = New(limits, metrics.New(), time.Now, func(e Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		})
		s.l = s.door.Listener(s.pipes, "test", func(what metrics.Limit) []byte { return []byte("no: " + what) })
		done := make(chan error)
		go func() {
			for {
				c, err := s.l.Accept()
				if err != nil {
					done <- err
					return
				}
				s.mu.Lock()
				s.let = append(s.let, c)
				s.mu.Unlock()
			}
		}()
		f(s)
		s.l.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept ends with %v", err)
		}
		for _, c := range s.let {
			c.Close()
		}
		if s.door.open != 0 {
			t.Errorf("%d connections are still counted", s.door.open)
		}
		for _, g := range s.door.crowd.guests {
			if g.open != 0 {
				t.Errorf("%v has %d connections for ever", g.key, g.open)
			}
		}
	})
}

// knock connects, and tells whether the peer was let in, or what it heard.
func (s *street) knock(addr string) (ours net.Conn, answer string) {
	s.t.Helper()
	before := len(s.let)
	ours, theirs := net.Pipe()
	s.pipes.conns <- from{theirs, netip.MustParseAddr(addr)}
	synctest.Wait()
	if len(s.let) > before {
		return ours, "in"
	}
	b := make([]byte, 100)
	n, _ := ours.Read(b)
	ours.Close() // or the farewell takes its time
	synctest.Wait()
	return nil, string(b[:n])
}

func (s *street) expect(addr, want string) {
	s.t.Helper()
	if _, got := s.knock(addr); got != want {
		s.t.Errorf("%s: %q, want %q", addr, got, want)
	}
}

func (s *street) leave(n int) { s.let[n].Close() }

func TestConnections(t *testing.T) {
	open(t, Limits{Connections: 2}, func(s *street) {
		s.expect("192.0.2.1", "in")
		s.expect("192.0.2.2", "in")
		s.expect("192.0.2.3", "no: connections")
		s.leave(0)
		s.leave(0) // twice is once
		s.expect("192.0.2.3", "in")
		s.expect("192.0.2.4", "no: connections")
	})
}

type unread struct{ net.Conn }

func (unread) Unread() int { return 7 }

// What a socket knows shows through a door.
func TestUnread(t *testing.T) {
	open(t, Limits{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32")}, HeaderTimeout: time.Second}, func(s *street) {
		for i, addr := range []string{"10.0.0.1", "10.0.0.2"} {
			ours, theirs := net.Pipe()
			defer ours.Close()
			s.pipes.conns <- unread{from{theirs, netip.MustParseAddr(addr)}}
			synctest.Wait()
			if u, ok := s.let[i].(interface{ Unread() int }); !ok || u.Unread() != 7 {
				t.Errorf("%s: nothing shows", addr)
			}
		}
	})
}

func TestPerAddress(t *testing.T) {
	exempt := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	open(t, Limits{Connections: 100, PerAddress: 2, Exempt: exempt}, func(s *street) {
		s.expect("192.0.2.1", "in")
		s.expect("::ffff:192.0.2.1", "in")
		s.expect("192.0.2.1", "no: connections_per_address")
		s.expect("192.0.2.2", "in")
		for range 10 {
			s.expect("10.1.2.3", "in")
		}
		s.leave(0)
		s.expect("192.0.2.1", "in")
		// A /64 is one address.
		s.expect("2001:db8::1", "in")
		s.expect("2001:db8::2", "in")
		s.expect("2001:db8::3", "no: connections_per_address")
		s.expect("2001:db8:0:1::1", "in")
	})
}

func TestRate(t *testing.T) {
	open(t, Limits{Connections: 1000, Rate: 10, Burst: 3}, func(s *street) {
		for range 3 {
			s.expect("192.0.2.1", "in")
		}
		s.expect("192.0.2.1", "no: connection_rate")
		s.expect("192.0.2.2", "in")
		time.Sleep(100 * time.Millisecond)
		s.expect("192.0.2.1", "in")
		s.expect("192.0.2.1", "no: connection_rate")
		time.Sleep(time.Hour)
		for range 3 {
			s.expect("192.0.2.1", "in")
		}
		s.expect("192.0.2.1", "no: connection_rate")
	})
}

// What is known of addresses is bounded, and those who have connections are
// never forgotten.
func TestCrowdIsBounded(t *testing.T) {
	now := time.Unix(1, 0)
	c := crowd{limits: Limits{PerAddress: 1, Rate: 1, Burst: 1}, now: func() time.Time { return now }, guests: make(map[netip.Prefix]*guest)}
	resident := netip.MustParseAddr("192.0.2.1")
	if _, ok := c.count(resident, new(ticket)); !ok {
		t.Fatal("the first is refused")
	}
	for i := range 3 * maxStrangers {
		var place ticket
		if _, ok := c.count(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), &place); !ok {
			t.Fatalf("stranger %d is refused", i)
		}
		c.leave(&place)
		if len(c.guests) > maxStrangers+1 {
			t.Fatalf("%d addresses are remembered", len(c.guests))
		}
	}
	now = now.Add(time.Minute)
	if what, ok := c.count(resident, new(ticket)); ok || what != metrics.ConnectionsPerAddress {
		t.Errorf("the resident was forgotten: %v", what)
	}
}

// A flood is one line in the log, and another when it goes on.
func TestFloodIsToldOnce(t *testing.T) {
	open(t, Limits{Connections: 1}, func(s *street) {
		s.expect("192.0.2.1", "in")
		for range 100 {
			s.expect("192.0.2.2", "no: connections")
		}
		time.Sleep(quietTime)
		s.expect("192.0.2.3", "no: connections")
		if len(s.events) != 2 || s.events[0].More != 0 || s.events[1].More != 99 || s.events[1].Remote.String() != "192.0.2.3" {
			t.Errorf("told of %+v", s.events)
		}
	})
}

// F28: out of descriptors, Accept waits and goes on; it doesn't spin, and
// closing ends the wait.
func TestF28AcceptBacksOff(t *testing.T) {
	open(t, Limits{Connections: 10}, func(s *street) {
		began := time.Now()
		for range 12 {
			s.pipes.conns <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
		if took := time.Since(began); took < 3*time.Second || took > 6*time.Second {
			t.Errorf("12 failures in %v", took)
		}
		s.expect("192.0.2.1", "in")
		began = time.Now()
		s.pipes.conns <- syscall.EMFILE
		s.pipes.conns <- syscall.EMFILE
		if took := time.Since(began); took != firstPause {
			t.Errorf("after a good one the pause is %v", took)
		}
		if len(s.events) != 1 || s.events[0].What != metrics.Accepting || s.events[0].Err == nil {
			t.Errorf("told of %+v", s.events)
		}
	})
}

func header(t *testing.T, version byte, source string) []byte {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source)),
		&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1935})
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestProxyProtocol(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	limits := Limits{Connections: 100, PerAddress: 2, Exempt: proxies, Proxies: proxies, HeaderTimeout: 5 * time.Second}
	// come connects by the proxy, and returns what the server reads and whom it sees.
	come := func(s *street, first []byte) (read, seen string, err error) {
		ours, _ := s.knock("10.0.0.7")
		nc := s.let[len(s.let)-1]
		go func() { ours.Write(first); ours.Write([]byte("hello")) }()
		seen = nc.RemoteAddr().String()
		b := make([]byte, 5)
		_, err = io.ReadFull(nc, b)
		if err != nil {
			ours.Close()
			nc.Close()
		}
		return string(b), seen, err
	}
	for _, version := range []byte{1, 2} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			open(t, limits, func(s *street) {
				for range 2 {
					if read, seen, err := come(s, header(t, version, "192.0.2.9:4711")); err != nil || read != "hello" || seen != "192.0.2.9:4711" {
						t.Errorf("read %q from %s: %v", read, seen, err)
					}
				}
				// The limit is that of the one behind the proxy, not the proxy's.
				var refused *refusedError
				if _, _, err := come(s, header(t, version, "192.0.2.9:4712")); !errors.As(err, &refused) || refused.what != metrics.ConnectionsPerAddress {
					t.Errorf("the third from one address: %v", err)
				}
				s.leave(0)
				if _, _, err := come(s, header(t, version, "192.0.2.9:4713")); err != nil {
					t.Errorf("one has left: %v", err)
				}
				if len(s.events) != 1 || s.events[0].What != metrics.ConnectionsPerAddress || s.events[0].Remote.String() != "192.0.2.9" {
					t.Errorf("told of %+v", s.events)
				}
			})
		})
	}
	t.Run("no header", func(t *testing.T) {
		open(t, limits, func(s *street) {
			if _, _, err := come(s, bytes.Repeat([]byte{3}, 100)); !errors.Is(err, proxyproto.ErrNoProxyProtocol) {
				t.Errorf("let in: %v", err)
			}
			if len(s.events) != 1 || s.events[0].What != metrics.ProxyHeader || s.events[0].Remote.String() != "10.0.0.7" {
				t.Errorf("told of %+v", s.events)
			}
		})
	})
	t.Run("silence holds nobody up", func(t *testing.T) {
		open(t, limits, func(s *street) {
			ours, _ := s.knock("10.0.0.7")
			defer ours.Close()
			s.expect("192.0.2.1", "in")
			began := time.Now()
			if _, err := s.let[0].Read(make([]byte, 1)); err == nil || time.Since(began) != limits.HeaderTimeout {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	})
	t.Run("closed while it is read", func(t *testing.T) {
		open(t, limits, func(s *street) {
			ours, _ := s.knock("10.0.0.7")
			nc := s.let[0]
			nc.Close()
			nc.Read(make([]byte, 1))
			ours.Close()
		})
	})
	t.Run("from somebody else", func(t *testing.T) {
		open(t, limits, func(s *street) {
			ours, _ := s.knock("192.0.2.1")
			go ours.Write(header(t, 1, "198.51.100.1:1"))
			line, _ := bufio.NewReader(s.let[0]).ReadString('\n')
			// It is no header, but bytes that no protocol of ours begins with.
			if seen := s.let[0].RemoteAddr().String(); !strings.HasPrefix(line, "PROXY ") || seen != "192.0.2.1:1" {
				t.Errorf("read %q from %s", line, seen)
			}
			ours.Close()
		})
	})
}
