package ingest_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/rtmpe/clients"
)

// hidden is a peer that speaks RTMPE.
func (w *world) hidden(name string, l clients.Layout) (*peer, error) {
	ours, theirs := net.Pipe()
	p := &peer{t: w.t, name: name, nc: ours, end: &served{Conn: theirs, remote: addr(name)}, born: time.Now()}
	w.listener.conns <- p.end
	c, err := clients.Dial(ours, l, rand.Reader)
	if err != nil {
		return nil, err
	}
	p.w = chunk.NewWriter(c)
	go func() {
		defer p.closed.happen()
		listen(c, func(s string) { p.heard = append(p.heard, s) })
	}()
	return p, nil
}

func TestRTMPE(t *testing.T) {
	for _, l := range clients.Layouts {
		live(t, func(w *world) {
			w.server.RTMPE = true
			p, err := w.hidden("peer", l)
			if err != nil {
				t.Fatal(err)
			}
			p.send(connect("live"), command(3, 0, "createStream", 2))
			p.expect(connected + "\n3/0 _result 2 null 1")
			p.send(command(4, 1, "publish", 3, amf.Null{}, "key", "live"))
			p.expect(started)
			p.send(video(40, keyframe))
			if r := w.asked[0]; r.Encrypted || w.sinks[0].String() != "video 40 "+keyframe {
				t.Errorf("%s: %+v, %v", l.Name, r, w.sinks[0])
			}
			if log := w.log.about("peer"); !strings.Contains(log[0], `"tls":false,"protocol":"rtmpe"`) {
				t.Errorf("log: %q", log)
			}
			// Plain peers come by the same port.
			plain := w.dial("plain")
			plain.publish("other")
			plain.nc.Close()
			p.nc.Close()
		})
	}
}

// FFmpeg sends our chunk size back, hides it where it lies, and reads it then.
func TestNoChunkSizeForFFmpegByRTMPE(t *testing.T) {
	live(t, func(w *world) {
		w.server.RTMPE = true
		p, err := w.hidden("peer", clients.Layouts[2])
		if err != nil {
			t.Fatal(err)
		}
		p.send(command(3, 0, "connect", 1, amf.Object{{Name: "app", Value: "live"}, {Name: "flashVer", Value: "FMLE/3.0 (compatible; Lavf62.19.101)"}}))
		p.expect(strings.Replace(connected, "2/0 set chunk size 65536\n", "", 1))
		p.nc.Close()
	})
}

func TestRTMPEIsRefused(t *testing.T) {
	for first, want := range map[byte]string{
		6: "set rtmp.rtmpe to true",
		8: "another type than 6",
		9: "another type than 6",
	} {
		live(t, func(w *world) {
			w.server.RTMPE = first != 6
			p := w.dial("peer")
			p.say([]byte{first})
			if log := w.log.about("peer"); p.lifetime() != 0 || p.closed.IsZero() || len(p.greeting) > 0 || len(log) != 1 || !strings.Contains(log[0], want) {
				t.Errorf("%d: after %v, %q", first, p.lifetime(), log)
			}
		})
	}
}

// TLS at the plain port is RTMPS, where there is a certificate.
func TestTLSAtThePlainPort(t *testing.T) {
	live(t, func(w *world) {
		w.server.TLS = certificate(t)
		ours, theirs := net.Pipe()
		p := &peer{t: w.t, name: "peer", nc: tls.Client(ours, &tls.Config{InsecureSkipVerify: true}), end: &served{Conn: theirs, remote: "peer"}, born: time.Now()}
		p.w = chunk.NewWriter(p.nc)
		w.listener.conns <- p.end
		go func() {
			defer p.closed.happen()
			p.greeting = make([]byte, greetingSize)
			if _, err := io.ReadFull(p.nc, p.greeting); err == nil {
				listen(p.nc, func(s string) { p.heard = append(p.heard, s) })
			}
		}()
		p.publish("key")
		if r := w.asked[0]; !r.Encrypted || !strings.Contains(w.log.about("peer")[0], `"tls":true,"protocol":"rtmps"`) {
			t.Errorf("%+v, %q", r, w.log.about("peer"))
		}
		ours.Close()
		synctest.Wait()
	})
	// Once is enough, and the deadline is that of the handshake.
	live(t, func(w *world) {
		w.server.TLS = certificate(t)
		p := w.dial("slow")
		p.say([]byte{0x16, 3, 1})
		pass(time.Minute)
		if p.lifetime() != 5*time.Second {
			t.Errorf("closed after %v", p.lifetime())
		}
	})
}

// Whoever speaks HTTP hears where he is, and what he sends costs nothing.
func TestHTTPIsAnswered(t *testing.T) {
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST /open/1 HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n" + strings.Repeat("x", 1<<20),
		"OPTIONS ",
	} {
		live(t, func(w *world) {
			w.server.Watch = "Watch at port 8080."
			ours, theirs := net.Pipe()
			began := time.Now()
			w.listener.conns <- &served{Conn: theirs, remote: "peer"}
			go io.Copy(ours, strings.NewReader(request))
			r, err := http.ReadResponse(bufio.NewReader(ours), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || r.StatusCode != 400 || !r.Close || !bytes.Contains(body, []byte("RTMP")) || !bytes.Contains(body, []byte("Watch at port 8080.")) {
				t.Errorf("%.20q: %v, %v: %s", request, r.Status, err, body)
			}
			io.Copy(io.Discard, ours)
			if took := time.Since(began); took > time.Second {
				t.Errorf("%.20q: closed after %v", request, took)
			}
			ours.Close()
		})
	}
}

// What only begins like HTTP is answered by nobody.
func TestAlmostHTTP(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"PROXY TCP4 192.0.2.55 127.0.0.1 4711 80\r\n": 0, "GETX": 0, "X": 0,
		"G": 5 * time.Second, "OPTIONS": 5 * time.Second,
	} {
		live(t, func(w *world) {
			p := w.dial("peer")
			p.say([]byte(said))
			pass(time.Minute)
			if p.lifetime() != want || p.closed.IsZero() || len(p.greeting) > 0 {
				t.Errorf("%q: %d bytes are answered, closed after %v", said, len(p.greeting), p.lifetime())
			}
		})
	}
}

func certificate(t *testing.T) *tls.Config {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
}
