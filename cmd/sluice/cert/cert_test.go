package cert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/metrics"
)

const domain = "live.example.com"

// pair is a certificate of its own making, with a number, as files have it.
func pair(t *testing.T, number int64, from time.Time, life time.Duration) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(number), DNSNames: []string{domain}, NotBefore: from, NotAfter: from.Add(life)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

// A certificate that can't be renewed serves on, and is told of in the log and
// in the metrics: once it is sure, and not for each connection.
func TestRenewalThatFailsIsTold(t *testing.T) {
	const life = 90 * 24 * time.Hour
	start := time.Now().Truncate(time.Second)
	cert, key := pair(t, 1, start, life)
	cert2, key2 := pair(t, 2, start, 2*life)
	type files map[string][]byte // nil: none
	for _, c := range []struct {
		name   string
		broken files
		want   string
	}{
		{"garbage", files{"cert": []byte("garbage")}, "failed to find any PEM data"},
		{"empty", files{"cert": {}}, "failed to find any PEM data"},
		{"another's key", files{"key": key2}, "does not match"},
		{"gone", files{"cert": nil, "key": nil}, "no such file"},
		{"no key", files{"key": nil}, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			now := start
			write := func(f files) {
				t.Helper()
				for name, text := range f {
					path := filepath.Join(dir, name)
					if text == nil {
						os.Remove(path)
						continue
					}
					if err := os.WriteFile(path, text, 0o600); err != nil {
						t.Fatal(err)
					}
					os.Chtimes(path, now, now)
				}
			}
			write(files{"cert": cert, "key": key})
			var log bytes.Buffer
			m := metrics.New()
			kept, err := OpenFiles(filepath.Join(dir, "cert"), filepath.Join(dir, "key"), NewWatch("https", zerolog.New(&log), m))
			if err != nil {
				t.Fatal(err)
			}
			// serves lets time pass, with ten connections a second.
			serves := func(number int64, d time.Duration) {
				t.Helper()
				for end := now.Add(d); now.Before(end); now = now.Add(100 * time.Millisecond) {
					if got := kept.Look(now).Leaf.SerialNumber.Int64(); got != number {
						t.Fatalf("certificate %d, want %d", got, number)
					}
				}
			}
			scrape := func() string {
				w := httptest.NewRecorder()
				m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
				return w.Body.String()
			}
			serves(1, 3*time.Second)
			write(files{"cert": cert2}) // one file after the other …
			serves(1, 900*time.Millisecond)
			write(files{"cert": cert, "key": key}) // … and, this time, back
			serves(1, 5*time.Second)
			if log.Len() > 0 {
				t.Errorf("told of files that are being written: %s", log.String())
			}
			write(c.broken)
			serves(1, 10*time.Second)
			text := log.String()
			if strings.Count(text, "\n") != 1 || !strings.Contains(text, c.want) || !strings.Contains(text, `"level":"error"`) || !strings.Contains(text, `"listener":"https"`) {
				t.Errorf("the log, want one line of %q:\n%s", c.want, text)
			}
			if !strings.Contains(scrape(), `sluice_certificate_failures_total{listener="https"} 1`) {
				t.Error("it is not counted")
			}
			now = now.Add(toldEvery)
			serves(1, 3*time.Second)
			if n := strings.Count(log.String(), "\n"); n != 2 {
				t.Errorf("an hour later, %d lines", n)
			}
			write(files{"cert": cert2, "key": key2})
			now = now.Add(2 * time.Second)
			serves(2, 3*time.Second)
			if n := strings.Count(log.String(), "\n"); n != 2 {
				t.Errorf("renewed: %d lines:\n%s", n, log.String())
			}
			want := strconv.FormatFloat(float64(kept.Look(now).Leaf.NotAfter.Unix()), 'g', -1, 64) // as Prometheus writes it
			if !strings.Contains(scrape(), `sluice_certificate_expiry_timestamp_seconds{listener="https"} `+want+"\n") {
				t.Errorf("its end %s is not in the metrics", want)
			}
		})
	}
}

// One that nobody renews is told of while there is time.
func TestCertificateThatEndsIsTold(t *testing.T) {
	start := time.Now().Truncate(time.Second)
	var log bytes.Buffer
	w := NewWatch("rtmps", zerolog.New(&log), nil)
	leaf := &x509.Certificate{NotBefore: start, NotAfter: start.Add(90 * 24 * time.Hour), DNSNames: []string{domain}}
	for day := range 75 {
		w.served(start.Add(time.Duration(day)*24*time.Hour), leaf)
	}
	if log.Len() > 0 {
		t.Errorf("with a sixth of its time left: %s", log.String())
	}
	w.served(start.Add(76*24*time.Hour), leaf)
	if !strings.Contains(log.String(), "ends soon") {
		t.Error("not told that it ends soon")
	}
	w.served(start.Add(91*24*time.Hour), leaf)
	if !strings.Contains(log.String(), "has ended") {
		t.Error("not told that it has ended")
	}
}

// An authority that gives no certificate is told of; that a stranger asks for
// another name is not.
func TestACMEThatFailsIsTold(t *testing.T) {
	notThere := httptest.NewServer(nil)
	notThere.Close()
	var log bytes.Buffer
	m := metrics.New()
	a := NewAuthority(config.ACME{Domains: []string{domain}, Cache: t.TempDir(), Directory: notThere.URL}, NewWatch("acme", zerolog.New(&log), m))
	for range 5 {
		a.certificate(&tls.ClientHelloInfo{ServerName: "evil.example.com"})
	}
	if log.Len() > 0 {
		t.Errorf("a stranger's name: %s", log.String())
	}
	for range 5 {
		if _, err := a.certificate(&tls.ClientHelloInfo{ServerName: domain}); err == nil {
			t.Fatal("a certificate from nowhere")
		}
	}
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "no certificate") {
		t.Errorf("the log: %s", log.String())
	}
}

// Files and ACME alike speak TLS 1.2 and 1.3, and nothing older.
func TestTLSVersions(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, 1, time.Now(), time.Hour)
	for name, text := range map[string][]byte{"cert": cert, "key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := OpenFiles(filepath.Join(dir, "cert"), filepath.Join(dir, "key"), NewWatch("https", zerolog.Nop(), nil))
	if err != nil {
		t.Fatal(err)
	}
	authority := NewAuthority(config.ACME{Domains: []string{domain}, Cache: dir}, Watch{}).TLS(nil)
	authority.GetCertificate = files.TLS().GetCertificate
	for by, server := range map[string]*tls.Config{"files": files.TLS(), "ACME": authority} {
		for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			a, b := net.Pipe()
			go func() {
				tls.Server(a, server).Handshake()
				a.Close()
			}()
			err := tls.Client(b, &tls.Config{MinVersion: version, MaxVersion: version, InsecureSkipVerify: true}).Handshake()
			if b.Close(); (err == nil) != want {
				t.Errorf("%s, %s: %v", by, tls.VersionName(version), err)
			}
		}
	}
}
