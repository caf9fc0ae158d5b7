package admin

import (
	"net/http"
	"net/url"
)

// plainQuery refuses queries of which a part would count for nothing: what can't be read,
// and all but the first of what is said twice. Whoever ends a stream and misspells for how
// long it is to be refused should not find it back at once.
func plainQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ofAPI(r) {
			said, err := url.ParseQuery(r.URL.RawQuery)
			if err != nil {
				Refuse(w, r, http.StatusUnprocessableEntity, "the query can't be read: "+err.Error())
				return
			}
			for name, values := range said {
				if len(values) > 1 {
					Refuse(w, r, http.StatusUnprocessableEntity, "the query says it more than once: "+name)
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}
