package ports

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
)

// Who comes first gives way where there is no room, but never who is being
// attended to.
func TestCounter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		c := &counter{Listener: pipes, most: 3}
		long := make(chan bool)
		s := newServer(c.attend(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-long })), zerolog.Nop())
		s.ConnContext = c.remember
		w := serverWay(s, c)
		done := make(chan error)
		go func() { done <- w.Serve() }()
		dial := func() net.Conn {
			ours, theirs := net.Pipe()
			pipes.conns <- theirs
			synctest.Wait()
			return ours
		}
		profile := dial()
		go io.WriteString(profile, "GET /debug/pprof/profile HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		strangers := []net.Conn{dial(), dial(), dial(), dial(), dial()}
		for i, nc := range strangers {
			gone := make(chan bool, 1)
			go func() {
				_, err := nc.Read(make([]byte, 1))
				gone <- err == io.EOF
			}()
			synctest.Wait()
			if got := len(gone) == 1; got != (i < 3) {
				t.Errorf("of six with room for three, the stranger who came as number %d is gone: %v", i+1, got)
			}
		}
		close(long)
		if r, err := http.ReadResponse(bufio.NewReader(profile), nil); err != nil || r.StatusCode != 200 {
			t.Errorf("who is attended to is answered %v, %v", r, err)
		}
		w.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := c.line.Len(); n != 0 {
			t.Errorf("%d are still counted", n)
		}
		for _, nc := range append(strangers, profile) {
			nc.Close()
		}
	})
}
