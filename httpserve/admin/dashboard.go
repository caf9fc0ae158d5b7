package admin

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-live/sluice/web"
)

// dashboard sends the page that people look at. All that it shows, it asks this API for.
func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) {
	own(w, "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(web.Dashboard()))
}

// asset sends what the page loads.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, web.Prefix)
	b, err := fs.ReadFile(web.Assets(), name)
	if err != nil { // a folder, too
		Refuse(w, r, http.StatusNotFound, "nothing here")
		return
	}
	own(w, "")
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(b)))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}

// own marks an answer as this page's alone: no page of others shows it in a frame, so
// that nobody is made to press its buttons.
func own(w http.ResponseWriter, contentType string) {
	h := w.Header()
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Security-Policy", web.ContentSecurityPolicy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "private, no-cache") // the names don't change with the bytes
}
