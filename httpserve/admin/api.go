package admin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// streamStatus is one stream as the API shows it.
type streamStatus struct {
	Name       string            `json:"name"`
	Live       bool              `json:"live"`
	Bytes      int               `json:"bytes"`  // in memory: fetchable, also of what the stream had before, and pinned
	Pinned     int               `json:"pinned"` // in memory for slow viewers alone
	Renditions []renditionStatus `json:"renditions"`
	Health     []string          `json:"health"`  // what is wrong, in sentences
	LeftOut    []string          `json:"leftOut"` // what viewers don't get, and what to set in the encoder

	Contributors []contributorStatus `json:"contributors"` // who publishes it
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
	Apart    float64 `json:"keyframesApart"` // seconds from where segments of the best quality begin, at most; 0: they begin alike
	End      string  `json:"end,omitempty"`  // media time of the end of the last segment
}

func (s *Server) streams(w http.ResponseWriter, _ *http.Request) {
	all := []streamStatus{}
	for _, stream := range s.House.Streams() {
		w := stream.Window()
		status := describe(w, s.crew(w.Stream), s.Now())
		status.Pinned = stream.Pinned()
		status.Bytes += status.Pinned
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b streamStatus) int { return cmp.Compare(a.Name, b.Name) })
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"streams": all}) // who doesn't read it is his own affair
}

func describe(win *packager.Window, crew []Contributor, now time.Time) streamStatus {
	out := streamStatus{Name: win.Stream.String(), Live: win.State != packager.Ended, Bytes: win.Bytes(), Renditions: []renditionStatus{}, Health: append([]string{}, Health(win, crew, now)...), LeftOut: append([]string{}, win.LeftOut...), Contributors: describeCrew(crew)}
	apart := keyframesApart(win)
	for _, r := range win.Renditions {
		if r.Header == nil {
			continue
		}
		one := describeRendition(&r)
		one.Apart = apart[r.ID].Seconds()
		out.Renditions = append(out.Renditions, one)
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
