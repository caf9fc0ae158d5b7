package access

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/sluice-live/sluice/config/address"
)

// Reader is one who plays by another protocol than HTTP, and shows all that he has at
// once.
type Reader struct {
	IP       netip.Addr
	Query    string // with the token
	Page     string // that he says to be on, or empty
	Software string // as he calls it
	Secure   bool   // came through TLS
}

// Admit judges a reader of a stream: by his place, and where viewers need a pass by his
// token. It returns his id, and until when he may stay; a *Refusal otherwise.
func (v *Viewers) Admit(ctx context.Context, stream string, who Reader) (viewer string, until time.Time, err error) {
	until = v.now().Add(v.s.Session)
	if v.Open() {
		return "", until, nil
	}
	u := &url.URL{Scheme: "rtmp", Path: "/" + stream, RawQuery: who.Query}
	if who.Secure {
		u.Scheme = "rtmps"
	}
	r := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}}).WithContext(ctx)
	r.Header.Set("User-Agent", who.Software)
	if who.Page != "" {
		r.Header.Set("Referer", who.Page)
	}
	from := address.Plain(who.IP)
	if err := v.Place(r, from); err != nil || !v.NeedsPass() {
		return "", until, err
	}
	token, err := shown(r)
	if err != nil {
		return "", until, err
	}
	w, err := v.judge(r, token, stream, from)
	switch {
	case err != nil:
		return "", until, refusal(err)
	case checkViewer(w.viewer) != nil:
		w.viewer = ""
	}
	if !w.until.IsZero() {
		until = w.until
	}
	return w.viewer, until, nil
}
