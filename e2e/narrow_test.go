package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// narrow is a way to the server on which no more than so much comes to the viewer: all
// connections share it.
type narrow struct {
	addr string

	mu   sync.Mutex
	rate float64 // bytes/s, 0 for no limit
	free time.Time
}

func narrowWay(t testing.TB, to string) *narrow {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &narrow{addr: l.Addr().String()}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			viewer, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				viewer.Close()
				continue
			}
			mu.Lock()
			open = append(open, viewer, server)
			mu.Unlock()
			all.Go(func() { io.Copy(server, viewer); server.Close() })
			all.Go(func() { n.copy(viewer, server); viewer.Close() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return n
}

// limit sets how much comes, bit/s; 0 is all.
func (n *narrow) limit(bits float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rate, n.free = bits/8, time.Now()
}

func (n *narrow) copy(to io.Writer, from io.Reader) {
	b := make([]byte, 4<<10)
	for {
		size, err := from.Read(b)
		n.mu.Lock()
		wait := time.Duration(0)
		if now := time.Now(); n.rate > 0 {
			if n.free.Before(now) {
				n.free = now
			}
			n.free = n.free.Add(time.Duration(float64(size) / n.rate * 1e9))
			wait = n.free.Sub(now)
		}
		n.mu.Unlock()
		time.Sleep(wait)
		if _, e := to.Write(b[:size]); err != nil || e != nil {
			return
		}
	}
}
