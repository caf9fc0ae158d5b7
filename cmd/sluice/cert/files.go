package cert

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"sync"
	"time"
)

// minTLS is not 1.3, which some encoders don't have. What 1.2 negotiates is Go's
// choice: forward secrecy, no CBC unless a peer has nothing else.
const minTLS = tls.VersionTLS12

// Files are a certificate on disk. Whoever renews it replaces the files:
// the next connection gets the new one. It may be used by many at once.
type Files struct {
	certFile, keyFile string
	watch             Watch

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]time.Time // of the files that were loaded
	checked time.Time
	failing time.Time // since when they can't be; zero while they can
}

// OpenFiles returns nil when no certificate is set: nil Files are those of a listener without TLS.
func OpenFiles(certFile, keyFile string, w Watch) (*Files, error) {
	if certFile == "" {
		return nil, nil
	}
	c := &Files{certFile: certFile, keyFile: keyFile, watch: w}
	if err := c.load(); err != nil {
		return nil, err
	}
	c.Look(time.Now())
	return c, nil
}

// TLS is a listener's configuration, nil without a certificate.
func (c *Files) TLS() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{
		MinVersion:     minTLS,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.Look(time.Now()), nil },
	}
}

// halfWritten is how long files may not fit together before that is a fault:
// they are replaced one after the other.
const halfWritten = time.Second

// Look returns the certificate, looking at the files once a second at most.
// While they can't be used, the one before serves on.
func (c *Files) Look(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since := now.Sub(c.checked); since >= 0 && since <= time.Second {
		return c.loaded
	}
	c.checked = now
	switch err := c.renew(); {
	case err == nil:
		c.failing = time.Time{}
	case c.failing.IsZero():
		c.failing = now
	case now.Sub(c.failing) >= halfWritten:
		c.watch.failed(now, c.loaded.Leaf, err)
	}
	c.watch.served(now, c.loaded.Leaf)
	return c.loaded
}

func (c *Files) renew() error {
	if c.modified() == c.version {
		return nil
	}
	return c.load()
}

func (c *Files) load() error {
	version := c.modified()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if pair.Leaf == nil { // it is there but for a setting of GODEBUG
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return err
		}
	}
	c.loaded, c.version = &pair, version
	return nil
}

func (c *Files) modified() (t [2]time.Time) {
	for i, f := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(f); err == nil {
			t[i] = info.ModTime()
		}
	}
	return t
}
