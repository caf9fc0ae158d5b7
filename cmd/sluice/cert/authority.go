package cert

import (
	"crypto/tls"
	"net/http"
	"slices"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/sluice-live/sluice/config"
)

// Authority gets certificates by ACME; nil gets none.
type Authority struct {
	manager *autocert.Manager
	first   string // domain, for peers that don't say whom they want
	domains []string
	watch   Watch
}

// NewAuthority returns nil where nothing is to be had by ACME. w is told of what
// goes wrong.
func NewAuthority(c config.ACME, w Watch) *Authority {
	if len(c.Domains) == 0 {
		return nil
	}
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(c.Cache),
		HostPolicy: autocert.HostWhitelist(c.Domains...), // or anybody could have us ask for any name
		Email:      c.Email,
	}
	if c.Directory != "" {
		m.Client = &acme.Client{DirectoryURL: c.Directory}
	}
	return &Authority{manager: m, first: c.Domains[0], domains: c.Domains, watch: w}
}

// TLS is a listener's configuration: that of its files, where it has some.
func (a *Authority) TLS(files *tls.Config) *tls.Config {
	if a == nil || files != nil {
		return files
	}
	return &tls.Config{MinVersion: minTLS, GetCertificate: a.certificate}
}

// certificate is for encoders, too, of which some don't say whom they want.
func (a *Authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName == "" {
		named := *hello
		named.ServerName = a.first
		hello = &named
	}
	c, err := a.manager.GetCertificate(hello)
	switch {
	case err != nil && slices.Contains(a.domains, hello.ServerName): // strangers ask for any name
		a.watch.failed(time.Now(), nil, err)
	case err == nil && !slices.Contains(hello.SupportedProtos, acme.ALPNProto):
		a.watch.served(time.Now(), c.Leaf)
	}
	return c, err
}

// Protocols are what a listener speaks, and how the authority sees by TLS that
// a name leads here.
func (a *Authority) Protocols(of []string) []string {
	if a == nil {
		return of
	}
	return append(slices.Clone(of), acme.ALPNProto)
}

// Answers lets it see that by HTTP.
func (a *Authority) Answers(next http.Handler) http.Handler {
	if a == nil {
		return next
	}
	return a.manager.HTTPHandler(next)
}
