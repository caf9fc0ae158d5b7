package main

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// minTLS is not 1.3, which some encoders don't have. What 1.2 negotiates is Go's
// choice: forward secrecy, no CBC unless a peer has nothing else.
const minTLS = tls.VersionTLS12

// tlsConfig returns nil when no certificate is set.
func tlsConfig(certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" {
		return nil, nil
	}
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     minTLS,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}, nil
}

// certificate is a certificate on disk. Whoever renews it replaces the files:
// the next connection gets the new one.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]time.Time // of the files that were loaded
	checked time.Time
}

// current returns the certificate, looking at the files once a second at most.
// While they are half written, the one before serves on.
func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) > time.Second {
		c.checked = now
		if c.modified() != c.version {
			_ = c.load()
		}
	}
	return c.loaded
}

func (c *certificate) load() error {
	version := c.modified()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded, c.version = &pair, version
	return nil
}

func (c *certificate) modified() (t [2]time.Time) {
	for i, f := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(f); err == nil {
			t[i] = info.ModTime()
		}
	}
	return t
}
