package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// Address is where a stream is at a server:
// rtmp://[USER:PASSWORD@]HOST[:PORT]/APP/NAME[?QUERY], or rtmps. An app may have slashes.
type Address struct {
	TLS            bool
	Host           string // as written
	App            string
	Name           string // with its query: on many servers it is a secret
	User, Password string
}

// ParseAddress reads a URL. The error repeats nothing of it that may be secret.
func ParseAddress(raw string) (a Address, err error) {
	u, err := url.Parse(raw)
	if err != nil { // which repeats parts, a password among them that is taken for a port
		return a, errors.New("it can't be read as rtmp://HOST[:PORT]/APP/NAME")
	}
	if u.Scheme != "rtmp" && u.Scheme != "rtmps" {
		return a, errors.New("the scheme must be rtmp or rtmps")
	}
	path := strings.TrimPrefix(u.Path, "/")
	i := strings.LastIndexByte(path, '/')
	if u.Hostname() == "" || i <= 0 || i == len(path)-1 {
		return a, errors.New("the path must be /APP/NAME, behind a host")
	}
	a = Address{TLS: u.Scheme == "rtmps", Host: u.Host, App: path[:i], Name: path[i+1:], User: u.User.Username()}
	a.Password, _ = u.User.Password()
	if u.RawQuery != "" {
		a.Name += "?" + u.RawQuery
	}
	return a, nil
}

// Elsewhere is the address that a server names as it asks to come by another connection
// (Enhanced RTMP v2, "Reconnect Request"): rtmp://HOST[:PORT]/APP, or "" for the same. The name
// of the stream stays, and so does who logs in. What was hidden from the network stays hidden:
// from rtmps nobody is led to rtmp. The error repeats nothing of the text.
func (a Address) Elsewhere(tcURL string) (Address, error) {
	if tcURL == "" {
		return a, nil
	}
	const most = 1 << 10
	if len(tcURL) > most {
		return a, errors.New("the address is too long")
	}
	base, query, _ := strings.Cut(tcURL, "?")
	to, err := ParseAddress(strings.TrimRight(base, "/") + "/name")
	switch {
	case err != nil:
		return a, err
	case to.User != "" || strings.Contains(to.App+to.Host, "#"):
		return a, errors.New("the address must be rtmp://HOST/APP")
	case a.TLS && !to.TLS:
		return a, errors.New("the scheme must be rtmps, as it is now")
	}
	if query != "" {
		to.App += "?" + query
	}
	to.Name, to.User, to.Password = a.Name, a.User, a.Password
	return to, nil
}

func (a Address) scheme() string {
	if a.TLS {
		return "rtmps"
	}
	return "rtmp"
}

// String is the address without what may be a secret: for logs and people.
func (a Address) String() string { return a.scheme() + "://" + a.Host + "/…" }

// Hush is a text without what is secret in the address, which servers repeat: as it was written,
// decoded, encoded, or cut short. It is bounded, too.
func (a Address) Hush(text string) string {
	const most = 300
	name, query, _ := strings.Cut(a.Name, "?")
	_, instance, _ := strings.Cut(a.App, "/")
	secrets := []string{name, a.Password, a.User, instance, query}
	for field := range strings.SplitSeq(query, "&") {
		key, value, named := strings.Cut(field, "=")
		if !named {
			value = key
		}
		secrets = append(secrets, value)
	}
	for _, secret := range secrets {
		text = cover(text, secret)
		if decoded, err := url.QueryUnescape(secret); err == nil {
			text = cover(text, decoded)
		}
		text = cover(cover(text, url.PathEscape(secret)), url.QueryEscape(secret))
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// cover puts dots in the place of a secret, and of what it begins with, if that is enough to tell it
// by.
func cover(text, secret string) string {
	const shortest, enough = 4, 8 // less is no secret, and part of many words
	if len(secret) < shortest {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, secret[:min(len(secret), enough)])
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("…")
		for i := enough; i < len(secret) && rest != "" && rest[0] == secret[i]; i++ {
			rest = rest[1:]
		}
		text = rest
	}
}

// dialAddress is what is dialled: HOST:PORT.
func (a Address) dialAddress() string {
	u := url.URL{Host: a.Host}
	port := u.Port()
	switch {
	case port != "":
	case a.TLS:
		port = "443"
	default:
		port = "1935"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (a Address) serverName() string { return (&url.URL{Host: a.Host}).Hostname() }

// Dialer opens connections to servers.
type Dialer struct {
	TLS *tls.Config                                                          // of rtmps; may be nil
	Net func(ctx context.Context, network, address string) (net.Conn, error) // nil: the system's
}

// silentError is for a server that doesn't answer within that time.
type silentError time.Duration

func (e silentError) Error() string { return fmt.Sprintf("no answer within %v", time.Duration(e)) }

// open connects and lets talk go on from there, all within a limit, and again where
// the server asks for a login. A connection where that fails is closed.
func (d Dialer) open(ctx context.Context, a Address, limit time.Duration, talk func(nc net.Conn, app, tcURL string) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, silentError(limit))
	defer cancel()
	query := ""
	for step := 0; ; step++ {
		err := d.once(ctx, a, query, talk)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = silentError(limit) // the socket's timeout is only how it shows
		}
		refused := (*RefusedError)(nil)
		if !errors.As(err, &refused) || a.User == "" || step == loginSteps {
			return err
		}
		next, asked := a.login(refused.Description)
		if !asked {
			return err
		}
		query = next
	}
}

func (d Dialer) once(ctx context.Context, a Address, query string, talk func(nc net.Conn, app, tcURL string) error) error {
	connect := d.Net
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	nc, err := connect(ctx, "tcp", a.dialAddress())
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	if a.TLS {
		config := d.TLS.Clone()
		if config == nil {
			config = new(tls.Config)
		}
		if config.ServerName == "" {
			config.ServerName = a.serverName()
		}
		over := tls.Client(nc, config)
		err = over.HandshakeContext(ctx)
		nc = over
	}
	app := a.App + query
	if err == nil {
		err = talk(nc, app, a.scheme()+"://"+a.Host+"/"+app)
	}
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
	}
	return err
}
