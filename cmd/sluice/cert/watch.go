// Package cert has the certificates of listeners: from files, which are read again
// when they change, and by ACME. It tells when one can't be renewed.
package cert

import (
	"crypto/x509"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest/metrics"
)

// toldEvery is how often a fault of a certificate that stays is told.
const toldEvery = time.Hour

// Watch tells the operator of a certificate that can't be renewed
// while there is time to do something: connections go on with the one before,
// and nobody else would notice until it ends.
type Watch struct {
	listener string // or acme
	log      zerolog.Logger
	metrics  *metrics.Set

	told *told
}

// told is when each fault was told last.
type told struct {
	mu                 sync.Mutex
	failure, endsEarly time.Time
}

// NewWatch returns a Watch for a listener, or for acme.
func NewWatch(listener string, log zerolog.Logger, m *metrics.Set) Watch {
	return Watch{listener: listener, log: log.With().Str("listener", listener).Logger(), metrics: m, told: new(told)}
}

// due tells whether a fault is to be told now, and remembers that it is.
func (w Watch) due(last *time.Time, now time.Time) bool {
	w.told.mu.Lock()
	defer w.told.mu.Unlock()
	if since := now.Sub(*last); !last.IsZero() && since >= 0 && since < toldEvery {
		return false
	}
	*last = now
	return true
}

// failed is for a renewal that failed. The certificate that serves on may be
// nil.
func (w Watch) failed(now time.Time, before *x509.Certificate, err error) {
	if w.told == nil || !w.due(&w.told.failure, now) {
		return
	}
	w.metrics.CertificateFailed(w.listener)
	line := w.log.Error().Err(err)
	if before == nil {
		line.Msg("there is no certificate: who connects by TLS is turned away")
		return
	}
	line.Time("ends", before.NotAfter).Msg("the certificate can't be renewed: the one before serves on until it ends")
}

// served is for a certificate that is in use. Whoever renews certificates does so
// when a third of their time is left: with a sixth left, that has failed.
func (w Watch) served(now time.Time, c *x509.Certificate) {
	if w.told == nil || c == nil {
		return
	}
	w.metrics.Certificate(w.listener, c.NotAfter)
	left := c.NotAfter.Sub(now)
	if left > c.NotAfter.Sub(c.NotBefore)/6 || !w.due(&w.told.endsEarly, now) {
		return
	}
	text := "the certificate ends soon, and has not been renewed"
	if left <= 0 {
		text = "the certificate has ended: players and encoders turn away"
	}
	w.log.Error().Time("ends", c.NotAfter).Strs("names", c.DNSNames).Msg(text)
}
