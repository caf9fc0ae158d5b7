package httpserve

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-live/sluice/packager"
)

// AdminHandler has what the operator and his machines ask for. It belongs on
// an address that viewers can't reach.
func (s *Server) AdminHandler(ready func() bool) http.Handler {
	r := chi.NewRouter()
	r.Use(s.guard, s.noBodies)
	// What asks whether the server lives need not know more.
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ok\n"))
	})
	r.Group(func(r chi.Router) {
		r.Use(s.operatorsOnly)
		if s.Operating != nil {
			r.Use(s.Operating)
		}
		r.Get("/metrics", s.Metrics.Handler().ServeHTTP)
		r.Get("/api/v1/streams", s.handle(s.streams))
		r.HandleFunc("/debug/pprof/*", s.profile(pprof.Index))
		r.HandleFunc("/debug/pprof/profile", s.profile(pprof.Profile))
		r.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		r.HandleFunc("/debug/pprof/trace", s.profile(pprof.Trace))
	})
	return r
}

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
		s.limitWrite(w, take)
		h(w, r)
	}
}

// streamStatus is one stream as the API shows it.
type streamStatus struct {
	Name       string            `json:"name"`
	Live       bool              `json:"live"`
	Bytes      int               `json:"bytes"`  // in memory: fetchable, also of what the stream had before, and pinned
	Pinned     int               `json:"pinned"` // in memory for slow viewers alone
	Renditions []renditionStatus `json:"renditions"`
	Health     []string          `json:"health"`  // what is wrong, in sentences
	LeftOut    []string          `json:"leftOut"` // what viewers don't get, and what to set in the encoder
}

type renditionStatus struct {
	ID       string  `json:"id"`
	Codec    string  `json:"codec"`
	Width    int     `json:"width,omitempty"`
	Height   int     `json:"height,omitempty"`
	Segments int     `json:"segments"`
	Seconds  float64 `json:"seconds"`             // in the playlist
	Away     string  `json:"awaySince,omitempty"` // from when on the encoder has sent nothing of it
	Bytes    int     `json:"bytes"`               // in memory, fetchable
	Peak     int     `json:"peakBitrate"`
	Average  int     `json:"averageBitrate"`
	End      string  `json:"end,omitempty"` // media time of the end of the last segment
}

func (s *Server) streams(w http.ResponseWriter, _ *http.Request) error {
	all := []streamStatus{}
	for _, stream := range s.Catalog.Streams() {
		status := describe(stream.Window(), s.Now())
		status.Pinned = stream.Pinned()
		status.Bytes += status.Pinned
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b streamStatus) int { return cmp.Compare(a.Name, b.Name) })
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"streams": all})
}

func describe(win *packager.Window, now time.Time) streamStatus {
	out := streamStatus{Name: win.Stream.String(), Live: win.State != packager.Ended, Bytes: win.Bytes(), Renditions: []renditionStatus{}, Health: append([]string{}, Health(win, now)...), LeftOut: append([]string{}, win.LeftOut...)}
	for _, r := range win.Renditions {
		if r.Header == nil {
			continue
		}
		out.Renditions = append(out.Renditions, describeRendition(&r))
	}
	return out
}

func describeRendition(r *packager.Rendition) renditionStatus {
	s := renditionStatus{
		ID:       string(r.ID),
		Codec:    r.Header.Track.Codecs,
		Segments: len(r.Segments),
		Peak:     r.Peak,
		Average:  r.Average,
		Bytes:    r.Bytes(),
	}
	s.Width, s.Height = r.Header.Track.Picture.Width, r.Header.Track.Picture.Height
	for _, seg := range r.Segments {
		s.Seconds += seg.Seconds()
	}
	if r.Away {
		s.Away = time.Unix(0, r.AwaySince).UTC().Format(time.RFC3339Nano)
	}
	if n := len(r.Segments); n > 0 {
		last := r.Segments[n-1]
		s.End = last.Header.Time(last.PTS + last.Duration).Format(time.RFC3339Nano)
	}
	return s
}
