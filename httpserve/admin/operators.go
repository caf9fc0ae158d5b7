package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	watching "github.com/sluice-live/sluice/httpserve/access"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// wrongTokenTime is how long the answer to a wrong token takes.
const wrongTokenTime = time.Second

// operatorsOnly asks for the token: as a Bearer, or as the password that a
// browser asks for, with any user.
func (s *Server) operatorsOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.Token == "" && !local(r.Host):
			// A page from elsewhere can make a browser on this machine ask us,
			// by a name of its own that leads here.
			s.Metrics.Refused(metrics.Operating)
			Refuse(w, r, http.StatusForbidden, "without admin.token, ask by the name localhost or by an address")
			return
		case s.Token != "" && !access.Same(shown(r), s.Token):
			if shown(r) != "" {
				s.Metrics.Refused(metrics.Operating)
				select {
				case <-time.After(wrongTokenTime):
				case <-r.Context().Done():
				}
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="sluice: any user, and admin.token as the password", charset="UTF-8"`)
			Refuse(w, r, http.StatusUnauthorized, "this needs admin.token, as a Bearer token or as the password of any user")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// shown is the token in a request, or empty.
func shown(r *http.Request) string {
	if token, ok := watching.Bearer(r); ok {
		return token
	}
	_, password, _ := r.BasicAuth()
	return password
}

// local tells whether a Host is none that somebody else can have chosen.
func local(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || strings.EqualFold(host, "localhost")
}
