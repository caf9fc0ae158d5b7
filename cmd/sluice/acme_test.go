package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-live/sluice/config"
	publishing "github.com/sluice-live/sluice/ingest/client"
)

// notary is an ACME authority (RFC 8555) that has one account, believes every
// signature, and looks for each challenge at the server under test.
type notary struct {
	*httptest.Server
	challenge   string // its kind
	http, https string // where names lead
	key         *ecdsa.PrivateKey
	root        *x509.Certificate
	ready       atomic.Bool // the challenge is fulfilled …
	failed      atomic.Bool // … or not
	issued      atomic.Pointer[[]byte]
	asked       atomic.Int64 // anything
	orders      atomic.Int64 // certificates: what ends the one before may be asked later
	seen        chan error   // of each look at the server
}

const domain = "live.example.com"

func newNotary(t *testing.T, challenge string) *notary {
	n := &notary{challenge: challenge, seen: make(chan error, 10)}
	n.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "notary"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, root, root, n.key.Public(), n.key)
	if err != nil {
		t.Fatal(err)
	}
	n.root, _ = x509.ParseCertificate(der)
	n.Server = httptest.NewServer(n)
	t.Cleanup(n.Close)
	return n
}

func (n *notary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Replay-Nonce", fmt.Sprint(n.asked.Add(1)))
	var message struct{ Payload string }
	json.NewDecoder(r.Body).Decode(&message)
	payload, _ := base64.RawURLEncoding.DecodeString(message.Payload)
	say := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v)
	}
	status := func(pending, done string) string {
		switch {
		case n.ready.Load():
			return done
		case n.failed.Load():
			return "invalid"
		}
		return pending
	}
	order := map[string]any{"status": status("pending", "ready"), "authorizations": []string{n.URL + "/authz"}, "finalize": n.URL + "/finalize"}
	challenge := map[string]any{"type": n.challenge, "url": n.URL + "/challenge", "token": "token", "status": status("pending", "valid")}
	switch r.URL.Path {
	case "/":
		say(200, map[string]any{"newNonce": n.URL + "/nonce", "newAccount": n.URL + "/account", "newOrder": n.URL + "/order"})
	case "/nonce":
	case "/account":
		w.Header().Set("Location", n.URL+"/account/1")
		say(201, map[string]any{"status": "valid"})
	case "/order":
		n.orders.Add(1)
		w.Header().Set("Location", n.URL+"/order/1")
		say(201, order)
	case "/order/1":
		if n.issued.Load() != nil {
			order["status"], order["certificate"] = "valid", n.URL+"/certificate"
		}
		say(200, order)
	case "/authz":
		say(200, map[string]any{"status": status("pending", "valid"), "identifier": map[string]string{"type": "dns", "value": domain}, "challenges": []any{challenge}})
	case "/challenge":
		err := n.look()
		n.ready.Store(err == nil)
		n.failed.Store(err != nil)
		n.seen <- err
		say(200, challenge)
	case "/finalize":
		var request struct{ CSR string }
		json.Unmarshal(payload, &request)
		n.issue(request.CSR)
		w.Header().Set("Location", n.URL+"/order/1")
		order["status"], order["certificate"] = "valid", n.URL+"/certificate"
		say(200, order)
	case "/certificate":
		w.Write(*n.issued.Load())
	default:
		http.NotFound(w, r)
	}
}

// look does what the authority does: it goes where the name leads.
func (n *notary) look() error {
	if n.challenge == "http-01" {
		ask, _ := http.NewRequest("GET", "http://"+n.http+"/.well-known/acme-challenge/token", nil)
		ask.Host = domain
		r, err := http.DefaultClient.Do(ask)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if text, _ := io.ReadAll(r.Body); !strings.HasPrefix(string(text), "token.") {
			return fmt.Errorf("the answer to the challenge is %q", text)
		}
		return nil
	}
	nc, err := tls.Dial("tcp", n.https, &tls.Config{ServerName: domain, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer nc.Close()
	state := nc.ConnectionState()
	identifier := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31} // RFC 8737
	for _, e := range state.PeerCertificates[0].Extensions {
		if e.Id.Equal(identifier) && state.NegotiatedProtocol == "acme-tls/1" {
			return nil
		}
	}
	return fmt.Errorf("no answer to the challenge, by %q", state.NegotiatedProtocol)
}

func (n *notary) issue(csr string) {
	der, _ := base64.RawURLEncoding.DecodeString(csr)
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: request.DNSNames,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, n.root, request.PublicKey, n.key)
	if err != nil {
		return
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	n.issued.Store(&chain)
}

// certificate is one that nobody asked for.
func (n *notary) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(3), DNSNames: []string{domain}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, n.root, n.key.Public(), n.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: n.key}
}

// A certificate comes by itself, by either challenge, for viewers and for
// encoders; it is kept, and nobody can have us ask for another name.
func TestACME(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			n := newNotary(t, challenge)
			cache := t.TempDir()
			start := func() *fort {
				return hold(t, func(c *config.Config) {
					c.HTTP.TLSAddr, c.RTMP.TLSAddr = "127.0.0.1:0", "127.0.0.1:0"
					c.ACME = config.ACME{Domains: []string{domain}, Cache: cache, Directory: n.URL}
				})
			}
			f := start()
			n.http, n.https = f.ports.Addr.HTTP.String(), f.ports.Addr.HTTPS.String()
			if nc, err := tls.Dial("tcp", n.https, &tls.Config{ServerName: "evil.example.com", InsecureSkipVerify: true}); err == nil {
				nc.Close()
				t.Error("a certificate for another name")
			}
			if n.asked.Load() > 0 {
				t.Error("the authority is asked for another name")
			}
			roots := x509.NewCertPool()
			roots.AddCert(n.root)
			// Whoever comes first waits for it.
			client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: domain}, ForceAttemptHTTP2: true,
			}}
			defer client.CloseIdleConnections()
			r, err := client.Get("https://" + n.https + "/")
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode != 200 || r.ProtoMajor != 2 || r.TLS.Version < tls.VersionTLS12 {
				t.Errorf("%s by %s", r.Status, r.Proto)
			}
			if err := <-n.seen; err != nil {
				t.Error(err)
			}
			orders := n.orders.Load()
			again := start() // with the same cache
			for _, addr := range []string{f.ports.Addr.RTMPS.String(), again.ports.Addr.HTTPS.String(), again.ports.Addr.RTMPS.String()} {
				for _, name := range []string{domain, ""} { // some encoders don't say
					nc, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
					if err != nil {
						t.Fatal(err)
					}
					if got := nc.ConnectionState().PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != domain {
						t.Errorf("the certificate at %s is for %v", addr, got)
					}
					nc.Close()
				}
			}
			if n.orders.Load() != orders {
				t.Error("the certificate was not kept")
			}
		})
	}
}

// An encoder that comes by RTMPS gets the certificate of the name that it says, at either port, that of
// the first domain where it says none, and none where it says another name.
func TestRTMPSNames(t *testing.T) {
	n := newNotary(t, "http-01")
	cache := t.TempDir()
	names := []string{"live.example.com", "push.example.org", "in.example.net"}
	for i, name := range names {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(10 + i)), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, leaf, n.root, n.key.Public(), n.key)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := x509.MarshalECPrivateKey(n.key)
		kept := append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		if err := os.WriteFile(filepath.Join(cache, name), kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := hold(t, func(c *config.Config) {
		c.RTMP.TLSAddr = "127.0.0.1:0"
		c.ACME = config.ACME{Domains: names, Cache: cache, Directory: n.URL}
	})
	roots := x509.NewCertPool()
	roots.AddCert(n.root)
	for _, addr := range []string{f.ports.Addr.RTMPS.String(), f.ports.Addr.RTMP.String()} {
		for i, name := range names {
			p, err := publishing.Dial(t.Context(), "rtmps://"+addr+"/live/"+name, &tls.Config{RootCAs: roots, ServerName: name})
			if err != nil {
				t.Fatalf("%s at %s: %v", name, addr, err)
			}
			p.Close()
			for said, want := range map[string]string{name: name, "": names[0]} {
				nc, err := tls.Dial("tcp", addr, &tls.Config{ServerName: said, InsecureSkipVerify: true})
				if err != nil {
					t.Fatal(err)
				}
				if got := nc.ConnectionState().PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != want {
					t.Errorf("%d: who says %q gets the certificate of %v", i, said, got)
				}
				nc.Close()
			}
		}
		if p, err := publishing.Dial(t.Context(), "rtmps://"+addr+"/live/x", &tls.Config{RootCAs: roots, ServerName: "other.example.com"}); err == nil {
			p.Close()
			t.Error("another name has a certificate")
		}
	}
	if n.asked.Load() > 0 {
		t.Error("the authority is asked, though all are kept")
	}
}
