package admin

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Refuse answers with an error: programs get a problem (RFC 9457), people a line. What
// stands in front of a Server answers so, too.
func Refuse(w http.ResponseWriter, r *http.Request, code int, text string) {
	if !ofAPI(r) {
		http.Error(w, text, code)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(&huma.ErrorModel{Title: http.StatusText(code), Status: code, Detail: text})
}

func noSuch(what string) error { return huma.Error404NotFound("no such " + what) }
