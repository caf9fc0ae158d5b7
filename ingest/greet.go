package ingest

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-live/sluice/ingest/handshake"
	"github.com/sluice-live/sluice/ingest/rtmpe"
)

// What a peer speaks shows in its first byte: that of RTMP is a version, which is
// no letter and no type of TLS record (Adobe RTMP 1.0, section 5.2.2).
const (
	versionRTMPE  = 6
	versionRTMPE8 = 8 // signatures hidden by XTEA …
	versionRTMPE9 = 9 // … and by Blowfish
	recordOfTLS   = 0x16
)

// methods of HTTP. A PROXY header isn't among them: nobody answers that.
var methods = []string{"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "PRI "}

// mostRequest is how many bytes of a request are read and thrown away.
const mostRequest = 64 << 10

var (
	errRTMPEOff  = errors.New("RTMPE, which is off: let the encoder use rtmps://, or set rtmp.rtmpe to true (it hides from nobody who means it)")
	errRTMPEType = errors.New("RTMPE of another type than 6, which isn't supported: let the encoder use rtmps://")
	errPlain     = errors.New("without TLS; this port is for rtmps://, that of rtmp.addr for rtmp://")
	errHTTP      = errors.New("looks like HTTP; this port speaks RTMP, as was answered")
)

// greet finds out what the peer speaks, and shakes hands.
//
//	first byte ─┬─ 0x16: TLS, and once more ─▶ first byte
//	            ├─ 3: RTMP   6: RTMPE ─▶ chunks
//	            └─ a method of HTTP, which is answered
func (c *conn) greet() error {
	limits := c.server.Limits
	c.idle.until(limits.HandshakeTimeout)
	c.nc.SetWriteDeadline(c.server.Now().Add(limits.WriteTimeout))
	first, err := c.first()
	if errors.As(err, new(tls.RecordHeaderError)) {
		return errPlain
	}
	if err != nil {
		return err
	}
	if first[0] == recordOfTLS && c.server.TLS != nil && !encrypted(c.nc) {
		c.nc = tls.Server(&begun{Conn: c.nc, first: first}, c.server.TLS)
		c.idle.nc = c.nc
		if first, err = c.first(); err != nil {
			return err
		}
	}
	if first, err = c.method(first); err != nil {
		return err
	}
	if slices.Contains(methods, string(first)) {
		return c.redirect()
	}
	rw := struct {
		io.Reader
		io.Writer
	}{io.MultiReader(bytes.NewReader(first), c.idle), c.nc}
	now := uint32(c.server.Now().UnixMilli())
	switch v := first[0]; {
	case v == versionRTMPE && !c.server.RTMPE:
		return errRTMPEOff
	case v == versionRTMPE:
		hidden, err := rtmpe.Serve(rw, now, rand.Reader)
		if err != nil {
			return err
		}
		c.hidden = true
		c.talk(hidden, hidden)
		return nil
	case v == versionRTMPE8, v == versionRTMPE9:
		return errRTMPEType
	}
	if err := handshake.Serve(rw, now, rand.Reader); err != nil {
		return err
	}
	c.talk(c.idle, c.nc)
	return nil
}

// first reads one byte, and waits for no more: some peers begin with less than a
// handshake and wait for an answer.
func (c *conn) first() ([]byte, error) {
	b := make([]byte, 1)
	if _, err := io.ReadFull(c.idle, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("handshake: reading C0: %w", err)
	}
	return b, nil
}

// method reads on as long as that can become a method of HTTP: eight bytes at most.
func (c *conn) method(begun []byte) ([]byte, error) {
	for slices.ContainsFunc(methods, func(m string) bool { return len(begun) < len(m) && strings.HasPrefix(m, string(begun)) }) {
		next, err := c.first()
		if err != nil {
			return nil, err
		}
		begun = append(begun, next...)
	}
	return begun, nil
}

// redirect answers whoever speaks HTTP with a sentence, whatever he asks for, and
// gives him a moment to read it.
func (c *conn) redirect() error {
	const port = "This is the port for encoders: it speaks RTMP (rtmp://HOST/APP/NAME), not HTTP."
	text := port + " " + c.server.Watch + "\n"
	_, err := fmt.Fprintf(c.nc, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"+
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n%s",
		http.StatusBadRequest, http.StatusText(http.StatusBadRequest), len(text), text)
	if err != nil {
		return err
	}
	if t, ok := c.nc.(interface{ CloseWrite() error }); ok {
		t.CloseWrite()
	}
	// What it sends unread would make TCP throw our answer away.
	c.idle.until(lingerTime)
	io.Copy(io.Discard, io.LimitReader(c.idle, mostRequest))
	return errHTTP
}

// begun is a connection of which a byte has been read already.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) == 0 || len(p) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.first)
	b.first = b.first[n:]
	return n, nil
}

// tunnel is a connection inside of others, which its client opens and closes. It
// says itself whether TLS protects it.
type tunnel interface {
	Encrypted() bool
}

func (c *conn) tunnelled() bool {
	_, ok := c.nc.(tunnel)
	return ok
}

// encrypted tells whether TLS protects a connection. RTMPE does not.
func encrypted(nc net.Conn) bool {
	if t, ok := nc.(tunnel); ok {
		return t.Encrypted()
	}
	_, ok := nc.(*tls.Conn)
	return ok
}

// garbles tells whether the encoder misunderstands a chunk size: FFmpeg, when it
// publishes, sends ours back, which RTMPE hides where it lies, and reads it there
// only then. Without one, both sides keep to 128 bytes.
func (c *conn) garbles(s connected) bool {
	return c.hidden && strings.Contains(s.software, "Lavf")
}

// protocol is how URLs call what the encoder speaks.
func (c *conn) protocol() string {
	name := "rtmp"
	if c.tunnelled() {
		name += "t"
	}
	if c.hidden {
		name += "e"
	}
	if encrypted(c.nc) {
		name += "s"
	}
	return name
}
