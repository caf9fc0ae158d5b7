package httpserve

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/web"
)

func (s *Server) landing(w http.ResponseWriter, _ *http.Request) error {
	if s.Publishing == nil {
		return s.page(w, web.Landing())
	}
	return s.page(w, web.LandingFor(s.Publishing()))
}

// player sends the page of a stream, live or not: it waits for it by itself.
func (s *Server) player(w http.ResponseWriter, r *http.Request) error {
	if _, err := packager.ParseStreamName(chi.URLParam(r, "app"), chi.URLParam(r, "name")); err != nil {
		return errNoPage
	}
	page := web.Player()
	if who := viewer(r); who != "" && s.Watermark {
		page = web.PlayerFor(who)
	}
	if chi.URLParam(r, "pass") != "" {
		page = web.BelowPass(page)
	}
	return s.page(w, page)
}

// slash sends those on to a stream's page who have left out its last character,
// with the token that they may have.
func (s *Server) slash(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "name")
	if _, err := packager.ParseStreamName(chi.URLParam(r, "app"), name); err != nil || isList(name) {
		return errNoPage
	}
	// Relative, for the sake of a proxy's path in front of ours.
	to := url.URL{Path: name + "/", RawQuery: r.URL.Query().Encode()}
	h := w.Header()
	h.Set("Location", to.String())
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
	return nil
}

// isList tells whether a name is that of a list: a player would not know what to
// do with a page.
func isList(name string) bool {
	return strings.HasSuffix(name, ".m3u8") || strings.HasSuffix(name, ".mpd")
}

func (s *Server) page(w http.ResponseWriter, body []byte) error {
	h := w.Header()
	h.Set("Content-Security-Policy", web.ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // a pass in the address is nobody else's business
	h.Set("Cache-Control", whose(h, "")+"no-cache")
	return s.whole(w, "text/html; charset=utf-8", body)
}

// asset sends a file that the pages link to.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	name := chi.URLParam(r, "*")
	b, err := fs.ReadFile(web.Assets(), name)
	if err != nil { // a folder, too
		return errNoPage
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // the names don't change with the bytes
	h.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(b)))
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	return nil
}
