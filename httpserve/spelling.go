package httpserve

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// spelling takes the escapes out of a path that it needn't have: %7E and ~ are
// one name (RFC 3986, section 6.2.2.2). An escaped slash stays what it is, part
// of a name.
func spelling(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Where the path is as anybody would write it, there is no RawPath.
		if plain := unescape(r.URL.RawPath); plain != r.URL.RawPath {
			spelled := *r.URL
			spelled.RawPath = plain
			if path, err := url.PathUnescape(plain); err == nil && path == plain {
				spelled.Path, spelled.RawPath = plain, ""
			}
			r = r.WithContext(context.WithValue(r.Context(), aliasKey{}, true))
			r.URL = &spelled
		}
		next.ServeHTTP(w, r)
	})
}

// unescape decodes the characters of a path that mean the same either way.
func unescape(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c, err := url.PathUnescape(path[i : i+3]); err == nil && unreserved(c[0]) {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// aliasKey marks a request by another name than the one that has the answer.
type aliasKey struct{}

func alias(r *http.Request) bool { return r.Context().Value(aliasKey{}) != nil }

// unstored keeps an answer out of caches: there are any number of names for it,
// and each would take its place again.
func unstored(w http.ResponseWriter) {
	if w, ok := w.(*statusWriter); ok {
		w.unstored = true
	}
}
