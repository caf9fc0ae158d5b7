package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRTMPS publishes through TLS, and renews the certificate meanwhile.
func TestRTMPS(t *testing.T) {
	t.Parallel()
	const stream = "live/secret"
	needs(t, "ffmpeg")
	clip := clip360(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	addr := freeAddr(t)
	s := startServer(t, "-rtmp-tls-addr", addr, "-rtmp-tls-cert", cert, "-rtmp-tls-key", key)
	if got, err := serial(t.Context(), addr); err != nil || got != 1 {
		t.Fatalf("the certificate has the serial number %d, %v", got, err)
	}

	pusher := ffmpegPublish(t, "-re", "-i", clip, "-c", "copy", "-t", "8", "-f", "flv", "-tls_verify", "0", "rtmps://"+addr+"/"+stream)
	awaitPlayable(t, s, stream)

	begin := time.Now()
	writeCertificate(t, cert, key, 2)
	eventually(t, 5*time.Second, "the new certificate", func() error {
		got, err := serial(t.Context(), addr)
		if err == nil && got != 2 {
			err = fmt.Errorf("the serial number is %d", got)
		}
		return err
	})
	t.Logf("the new certificate was shown %v after it was written", time.Since(begin).Round(time.Millisecond))

	// The publication that began under the old one goes on to its own end.
	pusher.wait(t, 20*time.Second)
	eventually(t, time.Second, "the end of the stream", func() error { return s.allEnded(t.Context(), stream) })
	playlists, _, err := s.lists(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	if d := playlists[0].Seconds(); d < 7.9 || d > 8.1 {
		t.Errorf("8 s were published, %v s are listed", d)
	}

	// And our own client trusts the new one.
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	p := publish(t, "rtmps://"+addr+"/live/second", &tls.Config{RootCAs: roots}, clipTags(t, clip))
	awaitPlayable(t, s, "live/second")
	p.goodbye(t)
}

// writeCertificate puts a self-signed one in the place of what is there, each
// file in one step.
func writeCertificate(t testing.TB, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "sluice test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		next := file + ".next"
		if err := os.WriteFile(next, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
	}
}

// serial is the serial number of the certificate that a new connection gets.
func serial(ctx context.Context, addr string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // which one it is matters, not who signed it
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	return nc.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}
