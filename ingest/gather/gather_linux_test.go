package gather

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipe is both ends of a connection of l.
func pipe(t testing.TB, l net.Listener) (server, client net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listener(tcp)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A gathered connection is a net.Conn in all that others rely on.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		l, err := Listener(tcp)
		if err != nil {
			return nil, nil, nil, err
		}
		defer l.Close()
		if c1, err = net.Dial("tcp", l.Addr().String()); err != nil {
			return nil, nil, nil, err
		}
		c2, err = l.Accept()
		return c1, c2, func() { c1.Close(); c2.Close() }, err
	})
}

func TestErrorsAreThoseOfNet(t *testing.T) {
	server, client := pipe(t, listen(t))
	b := make([]byte, 1)

	server.SetReadDeadline(time.Unix(1, 0))
	_, err := server.Read(b)
	if op := (*net.OpError)(nil); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || !op.Timeout() || op.Op != "read" {
		t.Errorf("past its deadline: %v", err)
	}
	server.SetReadDeadline(time.Time{})
	client.Close()
	if n, err := server.Read(b); n != 0 || err != io.EOF {
		t.Errorf("after the peer's end: %d, %v", n, err)
	}
	server.Close()
	if _, err := server.Read(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := server.Write(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := server.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := server.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
}

// The kernel holds little for a peer that is slow, and wakes its writer soon: one that
// takes 100 kB/s takes 256 KiB in less than a third of a deadline.
func TestSlowPeer(t *testing.T) {
	server, client := pipe(t, listen(t))
	client.(*net.TCPConn).SetReadBuffer(64 << 10)
	write := func(until time.Duration) (n int) {
		server.SetWriteDeadline(time.Now().Add(until))
		n, err := server.Write(make([]byte, 16<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		return n
	}
	if n := write(time.Second); n > 1<<20 {
		t.Errorf("the kernel holds %d bytes", n)
	}
	time.AfterFunc(time.Second/4, func() { io.CopyN(io.Discard, client, 256<<10) }) // while the writer waits
	if n := write(2 * time.Second); n == 0 {
		t.Error("the writer isn't woken")
	}
}

// What comes before the peer's end is read, and then the end, whenever and in
// whatever pieces both come: an edge rings once for both.
func TestEndBehindData(t *testing.T) {
	l := listen(t)
	for i := range 200 {
		server, client := pipe(t, l)
		want := bytes.Repeat([]byte("x"), i*7)
		go func() {
			client.Write(want[:i])
			client.Write(want[i:])
			client.(*net.TCPConn).CloseWrite()
		}()
		server.SetDeadline(time.Now().Add(10 * time.Second))
		got, err := io.ReadAll(server)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
		}
		if _, err := server.Write([]byte("bye")); err != nil { // it has only stopped to send
			t.Fatal(err)
		}
		server.Close()
		if got, _ := io.ReadAll(client); string(got) != "bye" {
			t.Fatalf("the peer got %q", got)
		}
		client.Close()
	}
}

// What has come and was not read is known, also where there is nothing more to come.
func TestUnread(t *testing.T) {
	server, client := pipe(t, listen(t))
	unread := func() int { return server.(*conn).Unread() }
	if n := unread(); n != 0 {
		t.Errorf("%d bytes, and none was sent", n)
	}
	client.Write([]byte("hello"))
	server.Read(make([]byte, 2))
	if n := unread(); n != 3 {
		t.Errorf("%d bytes of hello behind he", n)
	}
	client.Close()
	server.Read(make([]byte, 9))
	if n := unread(); n != 0 {
		t.Errorf("%d bytes behind the end", n)
	}
	server.Close()
	if n := unread(); n != 0 {
		t.Errorf("%d bytes behind Close", n)
	}
}

// A peer that resets the connection ends a Read that waits.
func TestReset(t *testing.T) {
	server, client := pipe(t, listen(t))
	server.SetDeadline(time.Now().Add(10 * time.Second))
	client.(*net.TCPConn).SetLinger(0)
	time.AfterFunc(10*time.Millisecond, func() { client.Close() })
	_, err := server.Read(make([]byte, 1))
	if op := (*net.OpError)(nil); !errors.As(err, &op) || op.Timeout() {
		t.Fatalf("%v", err)
	}
}

// A peer that doesn't read holds a Write up until it does, or until the deadline.
func TestSlowReader(t *testing.T) {
	server, client := pipe(t, listen(t))
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	server.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := server.Write(sent)
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == len(sent) {
		t.Fatalf("nobody reads: wrote %d, %v", n, err)
	}
	server.SetWriteDeadline(time.Now().Add(10 * time.Second))
	go func() {
		if _, err := server.Write(sent[n:]); err != nil {
			t.Error(err)
		}
		server.Close()
	}()
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes of %d, %v", len(got), len(sent), err)
	}
}

// Many pieces at once are written as one, however slowly they are read.
func TestWriteBuffers(t *testing.T) {
	server, client := pipe(t, listen(t))
	var pieces net.Buffers
	for n := range 3000 { // more than a system call takes
		pieces = append(pieces, bytes.Repeat([]byte{byte(n)}, n%1000*7))
	}
	sent := bytes.Join(pieces, nil)
	type writer interface {
		WriteBuffers(net.Buffers) (int64, error)
	}
	server.SetWriteDeadline(time.Now().Add(10 * time.Second))
	go func() {
		if n, err := server.(writer).WriteBuffers(pieces); err != nil || n != int64(len(sent)) {
			t.Errorf("wrote %d: %v", n, err)
		}
		if !bytes.Equal(bytes.Join(pieces, nil), sent) {
			t.Error("the pieces were changed")
		}
		server.Close()
	}()
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes of %d, %v", len(got), len(sent), err)
	}

	deaf, _ := pipe(t, listen(t))
	deaf.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := deaf.(writer).WriteBuffers(pieces); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == int64(len(sent)) {
		t.Fatalf("nobody reads: wrote %d, %v", n, err)
	}
}

// Many connections, opened and closed while others send, from several sides at
// once: each gets what was sent to it, and no descriptor is left.
func TestMany(t *testing.T) {
	before := descriptors(t)
	l := listen(t)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer nc.Close()
				io.Copy(nc, nc)
			})
		}
	})
	var clients sync.WaitGroup
	for i := range 100 {
		clients.Go(func() {
			for range 5 {
				nc, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				nc.SetDeadline(time.Now().Add(30 * time.Second))
				want := bytes.Repeat([]byte{byte(i)}, 100_000)
				clients.Go(func() {
					nc.Write(want)
					nc.(*net.TCPConn).CloseWrite()
				})
				if got, err := io.ReadAll(nc); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
				}
				nc.Close()
			}
		})
	}
	clients.Wait()
	l.Close()
	all.Wait()
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// Close while others read, write and set deadlines.
func TestCloseRaces(t *testing.T) {
	l := listen(t)
	for range 200 {
		server, client := pipe(t, l)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { io.Copy(io.Discard, server) })
			all.Go(func() {
				for {
					if _, err := server.Write(make([]byte, 1000)); err != nil {
						return
					}
				}
			})
			all.Go(func() {
				for server.SetDeadline(time.Now().Add(time.Minute)) == nil {
					runtime.Gosched()
				}
			})
		}
		all.Go(func() { io.CopyN(io.Discard, client, 10_000); server.Close() })
		all.Go(func() { client.Write(make([]byte, 10_000)) })
		all.Wait()
		client.Close()
	}
}

// The last one to leave takes the loop along, be it the listener or a connection.
func TestLeave(t *testing.T) {
	before := descriptors(t)
	l := listen(t)
	server, client := pipe(t, l)
	l.Close()
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatalf("after the listener's end: %v", err)
	}
	server.Close()
	client.Close()
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// A Read costs no allocation.
func TestAllocations(t *testing.T) {
	server, client := pipe(t, listen(t))
	b := make([]byte, 1<<10)
	if n := testing.AllocsPerRun(100, func() {
		client.Write(b[:100])
		if _, err := server.Read(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(all)
}
