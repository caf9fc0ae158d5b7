// Package access decides who may watch.
//
//	token ── signed (Akamai's format), JWT or the webhook's ──▶ pass, in the path of all that follows
//
// It is asked, and answers, as ingest/access does, by whose tokens and webhook it
// goes, too.
package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/access"
)

// Settings say who may watch.
type Settings struct {
	Keys    []Key            // of signed tokens; any of them is good
	Tokens  *access.Verifier // of JWTs, or nil
	Webhook *access.Webhook  // asked once for each other token, or nil

	Secret    []byte        // signs passes
	Session   time.Duration // how long a pass is good
	BindToIP  bool          // only where the viewer was when he entered
	CDNSecret string        // with which a cache gets everything; empty: none does

	From        address.Networks // empty: all
	Deny        address.Networks // never, whatever they have
	Referers    []string         // hosts whose pages may show streams; empty: all
	NeedReferer bool             // those who don't say where they come from may not watch
}

// Viewers decides who may watch. It may be used by many at once.
//
// A viewer shows a token where he enters, and gets a pass for it, which is in
// the path of everything that he asks for from then on.
type Viewers struct {
	s      Settings
	passes *passes
	used   *used
	now    func() time.Time
}

// NewViewers returns who decides by s.
func NewViewers(s Settings, now func() time.Time) *Viewers {
	return &Viewers{s: s, passes: newPasses(s.Secret), used: newUsed(now), now: now}
}

// With returns one that decides by other settings, and knows which tokens were
// used. Passes stay good while the secret is the same.
func (v *Viewers) With(s Settings) *Viewers {
	return &Viewers{s: s, passes: newPasses(s.Secret), used: v.used, now: v.now}
}

// Open tells whether everybody may watch.
func (v *Viewers) Open() bool {
	return !v.NeedsPass() && len(v.s.From) == 0 && len(v.s.Deny) == 0 && len(v.s.Referers) == 0
}

// Refusal is a no, with its reason and a status of HTTP.
type Refusal struct {
	Code   int
	Reason error
}

func (r *Refusal) Error() string   { return r.Reason.Error() }
func (r *Refusal) Unwrap() error   { return r.Reason }
func (r *Refusal) HTTPStatus() int { return r.Code }

func forbidden(format string, args ...any) error {
	return &Refusal{http.StatusForbidden, fmt.Errorf("%w: "+format, append([]any{access.ErrDenied}, args...)...)}
}

// refusal gives an error of this package its status.
func refusal(err error) error {
	if errors.Is(err, access.ErrUnknown) {
		return &Refusal{http.StatusServiceUnavailable, err}
	}
	return &Refusal{http.StatusForbidden, err}
}

// CDNHeader has the secret of a cache that checks viewers by itself.
const CDNHeader = "X-Sluice-CDN"

// Trusts tells whether r comes from a cache that checks viewers by itself.
func (v *Viewers) Trusts(r *http.Request) bool {
	if v.s.CDNSecret == "" {
		return false
	}
	secret := v.s.CDNSecret
	bearer, _ := Bearer(r)
	return access.Same(r.Header.Get(CDNHeader), secret) || access.Same(bearer, secret)
}

// NeedsPass tells whether viewers need a pass; else their network and the page
// that they come from decide alone.
func (v *Viewers) NeedsPass() bool {
	return len(v.s.Keys) > 0 || v.s.Tokens != nil || v.s.Webhook != nil
}

// Place checks where a viewer is and comes from. The error is a *Refusal.
func (v *Viewers) Place(r *http.Request, from netip.Addr) error {
	if len(v.s.From) > 0 && !v.s.From.Contain(from) || v.s.Deny.Contain(from) {
		return forbidden("this network may not watch: see watch.from and watch.deny")
	}
	return v.referer(r)
}

// referer checks on whose page a stream is shown. Our own is good wherever that
// is sure.
func (v *Viewers) referer(r *http.Request) error {
	if len(v.s.Referers) == 0 {
		return nil
	}
	said := r.Header.Get("Origin")
	if said == "" {
		said = r.Header.Get("Referer")
	}
	if said == "" {
		if !v.s.NeedReferer {
			return nil
		}
		return forbidden("requests must say by Referer or Origin whose page they come from: see watch.require_referer")
	}
	u, err := url.Parse(said)
	if err != nil || u.Hostname() == "" {
		return forbidden("what the request says of the page it comes from is not a URL")
	}
	host := strings.ToLower(u.Hostname())
	if host == ours(r) {
		return nil
	}
	for _, h := range v.s.Referers {
		if h = strings.ToLower(h); host == h || strings.HasPrefix(h, "*.") && strings.HasSuffix(host, h[1:]) {
			return nil
		}
	}
	return forbidden("this page may not show the stream: see watch.referers")
}

// Pages are the hosts whose pages may show streams; none: all may.
func (v *Viewers) Pages() []string { return v.s.Referers }

// ours is the host that a request was for, if that is surely one of ours: a
// browser has seen its certificate, or it is an address. Anybody can have a name
// of his own lead to us, and pages of his there; then Host has that name.
func ours(r *http.Request) string {
	host := strings.ToLower((&url.URL{Host: r.Host}).Hostname())
	if _, err := netip.ParseAddr(host); r.TLS != nil || err == nil || host == "localhost" {
		return host
	}
	return ""
}

// Check returns the id of the viewer whose pass is good for a stream, or a
// *Refusal.
func (v *Viewers) Check(text, stream string, from netip.Addr) (viewer string, err error) {
	p, ok := v.passes.read(text, stream)
	switch {
	case !ok:
		return "", forbidden("this is no pass for the stream, or one from before the server's restart: enter again with a token")
	case !v.now().Before(p.expires):
		return "", forbidden("the pass has expired: enter again with a token")
	case p.from.IsValid() && p.from != address.Home(from):
		return "", forbidden("the pass is good at another address only: enter again with a token")
	}
	return p.viewer, nil
}

// Enter judges the token in r, and returns a pass for the stream, or a
// *Refusal.
func (v *Viewers) Enter(r *http.Request, stream string, from netip.Addr) (string, error) {
	token, err := shown(r)
	if err != nil {
		return "", err
	}
	from = address.Plain(from)
	e, err := v.judge(r, token, stream, from)
	if err != nil {
		return "", refusal(err)
	}
	if checkViewer(e.viewer) != nil {
		e.viewer = "" // whoever let him in knows why he is called so
	}
	if e.until.IsZero() {
		e.until = v.now().Add(v.s.Session)
	}
	p := pass{expires: e.until, viewer: e.viewer}
	if v.s.BindToIP {
		p.from = address.Home(from)
	}
	return v.passes.issue(stream, p), nil
}

// worth is what a token is good for.
type worth struct {
	viewer string
	until  time.Time // zero: as long as a session is
}

func (v *Viewers) judge(r *http.Request, token, stream string, from netip.Addr) (worth, error) {
	switch {
	case len(v.s.Keys) > 0 && isSigned(token):
		return v.signed(token, stream, r.URL.Path, from)
	case v.s.Tokens != nil && strings.Count(token, ".") == 2:
		return v.jwt(r.Context(), token, stream)
	case v.s.Webhook != nil:
		return v.ask(r, token, stream, from)
	}
	return worth{}, fmt.Errorf("%w: this is no token of a kind that the server knows", access.ErrDenied)
}

func (v *Viewers) signed(token, stream, url string, from netip.Addr) (worth, error) {
	s, err := parseSigned(token, v.s.Keys)
	now := v.now()
	switch {
	case err != nil:
		return worth{}, err
	case !now.Before(s.Expires):
		return worth{}, fmt.Errorf("%w: the token has expired", access.ErrDenied)
	case now.Add(access.ClockSkew).Before(s.Starts):
		return worth{}, fmt.Errorf("%w: the token is not valid yet: compare the clocks", access.ErrDenied)
	case s.Address.IsValid() && address.Plain(s.Address) != from:
		return worth{}, fmt.Errorf("%w: the token is for another address", access.ErrDenied)
	case !s.allows(stream, url):
		return worth{}, fmt.Errorf("%w: the token is not for this stream", access.ErrDenied)
	}
	return worth{viewer: s.Viewer}, nil
}

func (v *Viewers) jwt(ctx context.Context, token, stream string) (worth, error) {
	c, err := v.s.Tokens.Verify(ctx, token, v.now())
	if err != nil {
		return worth{}, err
	}
	if !c.Allows(access.Watch, stream) {
		return worth{}, fmt.Errorf("%w: the token is not for watching this stream", access.ErrDenied)
	}
	return worth{viewer: c.Subject}, nil
}

// ask asks the webhook, once for each token.
func (v *Viewers) ask(r *http.Request, token, stream string, from netip.Addr) (worth, error) {
	if err := checkOneTime(token); err != nil {
		return worth{}, err
	}
	return v.used.once(r.Context(), token, visit{stream, from}, func(ctx context.Context) (worth, error) {
		a, err := v.s.Webhook.Ask(ctx, access.Question{
			ID: rand.Text(), Action: access.Watch, Path: stream, IP: from,
			Token: token, Query: "token=" + url.QueryEscape(token), // wherever it was
			Protocol: protocol(r.URL), UserAgent: r.UserAgent(),
		})
		if err != nil {
			return worth{}, err
		}
		if a.Path != "" && a.Path != stream {
			return worth{}, fmt.Errorf("%w: the webhook names another stream", access.ErrDenied)
		}
		e := worth{viewer: a.ID}
		if a.Session > 0 {
			e.until = v.now().Add(min(a.Session, v.s.Session))
		}
		return e, nil
	})
}

// checkOneTime refuses what a webhook could take for another token: JSON makes
// one sign of all bytes that are no text, and databases pass over spaces and end
// a text at a zero byte. What is left is the same for us only where it is the
// same for whoever compares bytes.
func checkOneTime(token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: a token for the webhook has other characters than ASCII's letters, digits and signs", access.ErrDenied)
	}
	return nil
}

func protocol(u *url.URL) string {
	switch {
	case u.Scheme == "rtmp" || u.Scheme == "rtmps": // see Admit
		return u.Scheme
	case strings.HasSuffix(u.Path, ".mpd"):
		return "dash"
	}
	return "hls"
}

// tokenNames are where a token may be in a query: ours, and what generators of
// Akamai's tokens say.
var tokenNames = []string{"token", "jwt", "hdnts", "hdnea", "__token__"}

// shown returns the token in a request, without the spaces around it.
func shown(r *http.Request) (string, error) {
	var found []string
	if b, ok := Bearer(r); ok {
		found = append(found, b)
	}
	query := r.URL.Query()
	for _, name := range tokenNames {
		found = append(found, query[name]...)
	}
	switch {
	case len(found) == 0 || len(found) == 1 && strings.TrimSpace(found[0]) == "":
		return "", &Refusal{http.StatusUnauthorized, fmt.Errorf("%w: this stream needs a token: add ?token=… to its address", access.ErrDenied)}
	case len(found) > 1:
		return "", forbidden("more than one token in a request")
	case len(found[0]) > access.TokenSize:
		return "", forbidden("the token is longer than %d KiB", access.TokenSize>>10)
	}
	return strings.TrimSpace(found[0]), nil
}

// Bearer returns the token of the Authorization header, if it has a Bearer token.
func Bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// checkViewer bounds what a viewer can be called: his id is shown to people.
func checkViewer(id string) error {
	if len(id) > maxViewer || !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("a viewer's id has at most %d bytes, all of which can be printed", maxViewer)
	}
	return nil
}
