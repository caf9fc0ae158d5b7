package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
)

// Who comes to a port where something else is spoken is told of in the log, with the port
// where it belongs: once, however often it comes. An encoder is hung up on at once.
func TestAstray(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeKeyPair(t, cert, key)
	c0c1 := "\x03" + strings.Repeat("\x00", 8) + strings.Repeat("x", 1528)
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	for _, c := range []struct {
		listener, says string
		encrypted      bool
		right          string // "": nothing is wrong
		pairs          bool   // there is a certificate
		quick          bool
	}{
		{"http", c0c1, false, "rtmp", false, true},
		{"http", "\x06" + c0c1[1:], false, "rtmp", false, true},
		{"https", c0c1, false, "rtmp", true, true},
		{"https", c0c1, true, "rtmps", true, false},
		{"admin", c0c1, false, "rtmp", false, true},
		{"http", "\x16\x03\x01\x00\x05hello", false, "https", true, false},
		{"http", "\x16\x03\x01\x00\x05hello", false, "there is none: http.tls_addr", false, false},
		{"https", request, false, "http", true, false},
		{"http", request, false, "", true, false},
		{"https", request, true, "", true, false},
		{"admin", request, false, "", true, false},
		{"rtmps", c0c1, false, "says: without TLS; this port is for rtmps://", true, false},
		{"rtmp", "\x16\x03\x01\x00\x05hello", false, "says: looks like TLS sent to the plain port", false, true},
		{"rtmp", request, false, "says: looks like HTTP", false, false},
	} {
		t.Run(fmt.Sprintf("%s/%.1q", c.listener, c.says), func(t *testing.T) {
			t.Parallel()
			cfg := config.Default()
			cfg.RTMP.Addr, cfg.RTMP.TLSAddr, cfg.HTTP.Addr, cfg.HTTP.TLSAddr, cfg.Admin.Addr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "", "127.0.0.1:0"
			if c.pairs {
				cfg.HTTP.TLSAddr = "127.0.0.1:0"
				cfg.RTMP.TLSCert, cfg.RTMP.TLSKey, cfg.HTTP.TLSCert, cfg.HTTP.TLSKey = cert, key, cert, key
			}
			log := new(journal)
			a, err := listen(cfg, zerolog.New(log))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- a.run(ctx) }()
			t.Cleanup(func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
			at := map[string]net.Addr{"rtmp": a.ports.Addr.RTMP, "rtmps": a.ports.Addr.RTMPS, "http": a.ports.Addr.HTTP, "https": a.ports.Addr.HTTPS, "admin": a.ports.Addr.Admin}
			began := time.Now()
			for range 3 {
				nc, err := net.Dial("tcp", at[c.listener].String())
				if err != nil {
					t.Fatal(err)
				}
				if c.encrypted {
					nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
				}
				if _, err := io.WriteString(nc, c.says); err != nil {
					t.Fatal(err)
				}
				patience := 200 * time.Millisecond // then it goes by itself
				if c.quick {
					patience = 10 * time.Second
				}
				nc.SetReadDeadline(time.Now().Add(patience))
				io.Copy(io.Discard, nc)
				nc.Close()
			}
			if took := time.Since(began); c.quick && took > 3*time.Second {
				t.Errorf("it took %v until the third was hung up on", took)
			}
			want, most := "", 1
			if right, ok := at[c.right]; ok {
				want = fmt.Sprintf(`"right":"%s://HOST:%d`, c.right, netip.MustParseAddrPort(right.String()).Port())
			} else if text, ok := strings.CutPrefix(c.right, "says: "); ok {
				want, most = text, 3
			} else if c.right != "" {
				want = `"right":"` + c.right
			}
			n := 0
			for end := time.Now().Add(5 * time.Second); n == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				n = strings.Count(log.String(), cmp.Or(want, `"right"`))
				if c.right == "" {
					break
				}
			}
			if c.right == "" && n > 0 || c.right != "" && (n == 0 || n > most) {
				t.Errorf("%q is told %d times:\n%s", want, n, log)
			}
		})
	}
}
