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
	page := web.Landing()
	if s.Publishing != nil {
		page = web.LandingFor(s.Publishing())
	}
	return s.page(w, pagePolicy(), page)
}

// player sends the page of a stream, live or not: it waits for it by itself.
func (s *Server) player(w http.ResponseWriter, r *http.Request) error {
	return s.playerIn(w, r, pagePolicy(), false)
}

// embed sends the same page as it is shown in a frame of somebody else's page.
func (s *Server) embed(w http.ResponseWriter, r *http.Request) error {
	return s.playerIn(w, r, s.embedPolicy(), true)
}

func (s *Server) playerIn(w http.ResponseWriter, r *http.Request, policy string, embedded bool) error {
	if _, err := packager.ParseStreamName(chi.URLParam(r, "app"), chi.URLParam(r, "name")); err != nil {
		return errNoPage
	}
	visit := web.Visit{Embedded: embedded}
	if s.Publishing != nil {
		visit.Publishing = s.Publishing()
	}
	if s.Watermark {
		visit.Viewer = viewer(r)
	}
	return s.page(w, policy, here(r, web.Player(visit)))
}

// here is a page with its links as they are below the pass in r, if there is one.
func here(r *http.Request, page []byte) []byte {
	if chi.URLParam(r, "pass") != "" {
		return web.BelowPass(page)
	}
	return page
}

func pagePolicy() string { return web.ContentSecurityPolicy }

// embedPolicy lets those pages show our player that may show streams.
func (s *Server) embedPolicy() string {
	if judge := s.judge(); judge != nil {
		return web.EmbedPolicy(judge.Pages())
	}
	return web.EmbedPolicy(nil)
}

// worded answers with h; a browser that h refuses a page gets one that says so,
// where policy is what h has for its own.
func (s *Server) worded(policy func() string, h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		if err == nil || !strings.Contains(r.Header.Get("Accept"), "text/html") {
			return err
		}
		code := status(err)
		title, ok := refusals[code]
		if !ok {
			return err
		}
		head := w.Header()
		head.Set("Content-Security-Policy", policy())
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "same-origin")
		head.Set("Content-Type", "text/html; charset=utf-8")
		head.Set("Cache-Control", "no-store")
		explain(head, code)
		w.WriteHeader(code)
		_, err = w.Write(here(r, web.Refused(title, err.Error())))
		return err
	}
}

// refusals are what the page says of each status that has one.
var refusals = map[int]string{
	http.StatusUnauthorized:       "This stream is not for everybody",
	http.StatusForbidden:          "You may not watch this stream",
	http.StatusServiceUnavailable: "It can’t be checked just now whether you may watch",
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

func (s *Server) page(w http.ResponseWriter, policy string, body []byte) error {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
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
