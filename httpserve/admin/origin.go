package admin

import (
	"mime"
	"net/http"
)

// sameOrigin keeps pages from elsewhere from doing something by the browser of an
// operator, which may have the token, or be on a machine that needs none: a page may
// send such requests, and can't read the answer, but what is done is done. Browsers
// say where a request comes from (Sec-Fetch-Site, Origin); others are no browsers.
//
// Nor may such a page look: it can't read that answer either, but one that it holds open (events, a
// profile) takes the room of another. A person who follows a link to here navigates.
//
// A form can't say that it sends JSON, either: a request that changes something has
// no content, or that.
func sameOrigin(next http.Handler) http.Handler {
	check := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check.Check(r); err != nil || looksFromElsewhere(r) {
			Refuse(w, r, http.StatusForbidden, "this comes from a page of another origin")
			return
		}
		if said := r.Header.Get("Content-Type"); said != "" && changes(r) {
			if kind, _, err := mime.ParseMediaType(said); err != nil || kind != "application/json" {
				Refuse(w, r, http.StatusUnsupportedMediaType, "no content is taken here but JSON")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func looksFromElsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate"
	}
	return false
}

func changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}
