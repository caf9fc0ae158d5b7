package ports

import (
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// F20: who asks by HTTP/2 and takes no byte of the answer is left after a minute,
// however alive he says he is.
func TestF20HTTP2TakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		way := TCP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 64<<10))
			}
		}), l, zerolog.Nop())
		go way.Serve()
		near, far := net.Pipe()
		l.conns <- far
		go func() { // reads what comes before the answer, and some of that
			io.CopyN(io.Discard, near, 64<<10)
		}()
		const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x7f\xff\xff\xff" // a window of 2 GiB
		const window = "\x00\x00\x04\x08\x00\x00\x00\x00\x00" + "\x7f\x00\x00\x00"
		const headers = "\x00\x00\x06\x01\x05\x00\x00\x00\x01" + "\x82\x84\x86\x41\x01x" // GET / of http://x
		if _, err := near.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + window + headers)); err != nil {
			t.Fatal(err)
		}
		const ping = "\x00\x00\x08\x06\x00\x00\x00\x00\x00" + "12345678"
		began := time.Now()
		var err error
		for err == nil && time.Since(began) < 5*time.Minute {
			time.Sleep(time.Second)
			near.SetWriteDeadline(time.Now().Add(time.Second))
			_, err = near.Write([]byte(ping))
		}
		if took := time.Since(began); err != io.ErrClosedPipe || took < 25*time.Second || took > 65*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		way.Close()
		near.Close()
	})
}
