package admin

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	profileTime = 30 * time.Second // of one who doesn't say how long it is to be
	longProfile = 10 * time.Minute // and nobody needs a longer one
)

// profile gives an answer the time that it is to take, behind which it is
// written: the deadline is for who doesn't read it.
func (s *Server) profile(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		take := profileTime
		if text := r.URL.Query().Get("seconds"); text != "" {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil || !(seconds >= 0 && seconds <= longProfile.Seconds()) {
				http.Error(w, fmt.Sprintf("seconds: a number from 0 to %v", longProfile.Seconds()), http.StatusBadRequest)
				return
			}
			take = max(take, time.Duration(seconds*float64(time.Second)))
		}
		// By the machine's clock, as sockets go by it; in tests there may be no socket.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(take + s.WriteTimeout))
		h(w, r)
	}
}
