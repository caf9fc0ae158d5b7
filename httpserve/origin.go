package httpserve

import (
	"maps"
	"net/http"
	"strings"
)

// Header fields whose values are the same in all answers: made once, and shared.
var (
	anyOrigin = http.Header{
		"Access-Control-Allow-Origin":   {"*"},
		"Access-Control-Expose-Headers": {"Content-Length, Content-Range, Date, ETag"},
		"Cross-Origin-Resource-Policy":  {"cross-origin"},
		"Timing-Allow-Origin":           {"*"},
	}
	preflight = http.Header{
		"Access-Control-Allow-Methods": {"GET, HEAD, OPTIONS"},
		"Access-Control-Max-Age":       {"86400"},
		"Vary":                         {"Access-Control-Request-Headers"},
	}
	byEncoding = []string{"Accept-Encoding"}
	gzipped    = []string{"gzip"}
)

// usual are the headers that players add: who names none hears of them.
const usual = "Range, Accept, Content-Type, Authorization, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status"

// allowAnyOrigin lets players on other sites read everything, errors included:
// without that they see a failure of the network.
func allowAnyOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), anyOrigin)
		next.ServeHTTP(w, r)
	})
}

// preflights answers what browsers ask before they let a player on another site
// ask. Whatever a player adds to its requests is allowed: no header of theirs
// gets anybody anything but what he may have anyway.
func preflights(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			maps.Copy(w.Header(), preflight)
			w.Header().Set("Access-Control-Allow-Headers", allowedHeaders(r.Header))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowedHeaders are the usual ones and those that were asked for. They must be
// named: to Authorization, "*" doesn't apply.
func allowedHeaders(asked http.Header) string {
	all := []string{usual}
	for name := range listed(asked, "Access-Control-Request-Headers") {
		if isToken(name) {
			all = append(all, name)
		}
	}
	return strings.Join(all, ", ")
}

// isToken tells whether a text can be the name of a header (RFC 9110, section
// 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
