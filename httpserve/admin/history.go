package admin

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

const (
	historyStep   = 5 * time.Second // between points
	historyPoints = 120             // that are remembered: ten minutes
	mostHistories = 1 << 12         // streams that are remembered: 8 MiB
)

// History is what streams were like of late, a point each 5 s. It is made of their
// Windows: nothing on the way of a frame knows of it. A nil History has nothing.
type History struct {
	mu    sync.Mutex
	at    time.Time // of the newest points
	all   map[packager.StreamName]*past
	total past
}

// past is what is remembered of a stream.
type past struct {
	points []point // the newest last
	seen   map[packager.RenditionID]int64
}

// point is what a stream was like for one step.
type point struct {
	bitrate float32 // bit/s
	frames  float32 // a second
	latency float32 // seconds
	viewers int32
	streams int32 // live, of all streams together
}

func (p *past) add(q point) {
	if len(p.points) == historyPoints {
		p.points = slices.Delete(p.points, 0, 1)
	}
	p.points = append(p.points, q)
}

// Look adds a point of each stream, where it is time for one. It is to be called each
// second, by one goroutine.
func (h *History) Look(now time.Time, streams []*packager.Stream, viewers func(packager.StreamName) int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if passed := now.Sub(h.at); passed >= 0 && passed < historyStep {
		return
	}
	h.at = now
	if h.all == nil {
		h.all = make(map[packager.StreamName]*past)
	}
	var total point
	there := make(map[packager.StreamName]bool, len(streams))
	for _, s := range streams {
		w := s.Window()
		there[w.Stream] = true
		of := h.all[w.Stream]
		if of == nil {
			if len(h.all) >= mostHistories {
				continue
			}
			of = &past{seen: make(map[packager.RenditionID]int64)}
			h.all[w.Stream] = of
		}
		q := of.look(w)
		q.viewers = int32(viewers(w.Stream))
		of.add(q)
		total.bitrate += q.bitrate
		total.viewers += q.viewers
		total.latency = max(total.latency, q.latency)
		if w.State == packager.Live {
			total.streams++
		}
	}
	for name := range h.all {
		if !there[name] {
			delete(h.all, name)
		}
	}
	h.total.add(total)
}

// look sees what came since it looked last. Where nothing did, all is zero.
func (p *past) look(w *packager.Window) (q point) {
	pictures := false
	for i := range w.Renditions {
		r := &w.Renditions[i]
		bytes, ticks, frames := 0, int64(0), 0
		count := r.Header != nil && r.Header.Track.Kind() == remux.Video && !r.Away && !pictures
		pictures = pictures || count
		from := p.seen[r.ID]
		p.seen[r.ID] = r.NextPart
		for part := range behind(r, from) {
			bytes += len(part.Bytes)
			ticks += part.Duration
			if count {
				for range cmaf.Units(part.Bytes) {
					frames++
				}
			}
		}
		if r.Header == nil || ticks == 0 {
			continue
		}
		seconds := r.Header.Seconds(ticks)
		q.bitrate += float32(float64(bytes) * 8 / seconds)
		if count {
			q.frames = float32(float64(frames) / seconds)
		}
	}
	if q.bitrate > 0 {
		q.latency = float32(w.Late.Seconds())
	}
	return q
}

// behind yields the parts of a rendition from a number on, the newest first; none
// where numbers have begun anew.
func behind(r *packager.Rendition, from int64) func(yield func(*packager.Part) bool) {
	return func(yield func(*packager.Part) bool) {
		next := r.NextPart
		see := func(parts []packager.Part) bool {
			for i := range slices.Backward(parts) {
				p := &parts[i]
				if p.Number < from || p.Number >= next || !yield(p) {
					return false
				}
				next = p.Number
			}
			return true
		}
		if !see(r.Parts) {
			return
		}
		for _, s := range slices.Backward(r.Segments) {
			if !see(s.Parts) {
				return
			}
		}
	}
}

type historyFilter struct {
	Page
	Points int `query:"points" minimum:"1" maximum:"120" default:"120" doc:"The newest alone, of those that there are."`
}

type historyPage struct {
	At      time.Time `json:"at" doc:"Of the last points. A stream that is new has fewer."`
	Step    float64   `json:"step" doc:"Seconds between points."`
	Streams []series  `json:"streams" doc:"Those of the page of the same name in listStreams."`
	Total   totals    `json:"total"`
}

// series are the points of a stream, the newest last.
type series struct {
	Name    string    `json:"name" example:"live/cam1"`
	Bitrate []int     `json:"bitrate" doc:"Bit/s, of the media that came; 0: none did."`
	Frames  []float64 `json:"frames" doc:"A second, of the best picture."`
	Latency []float64 `json:"latency" doc:"Seconds from when a frame is due to when the part is complete that it is in, at most."`
	Viewers []int     `json:"viewers"`
}

// totals are the same of all streams together.
type totals struct {
	Streams []int     `json:"streams" doc:"That are live."`
	Bitrate []int     `json:"bitrate" doc:"Bit/s that came, of all streams."`
	Latency []float64 `json:"latency" doc:"Of the stream with the most."`
	Viewers []int     `json:"viewers"`
}

func (s *Server) history(_ context.Context, f *historyFilter) (*output[historyPage], error) {
	found, _, _ := s.pick(&f.Page)
	out := &output[historyPage]{historyPage{Step: historyStep.Seconds(), Streams: []series{}}}
	h := s.History
	if h == nil {
		h = new(History)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	out.Body.At = h.at.UTC()
	for _, one := range found {
		var points []point
		if p := h.all[one.stream.Window().Stream]; p != nil {
			points = last(p.points, f.Points)
		}
		out.Body.Streams = append(out.Body.Streams, series{
			Name: one.name, Bitrate: whole(points, func(p point) int { return int(p.bitrate) }), Viewers: whole(points, func(p point) int { return int(p.viewers) }),
			Frames: rounded(points, 10, func(p point) float32 { return p.frames }), Latency: rounded(points, 1000, func(p point) float32 { return p.latency }),
		})
	}
	points := last(h.total.points, f.Points)
	out.Body.Total = totals{
		Streams: whole(points, func(p point) int { return int(p.streams) }), Bitrate: whole(points, func(p point) int { return int(p.bitrate) }),
		Latency: rounded(points, 1000, func(p point) float32 { return p.latency }), Viewers: whole(points, func(p point) int { return int(p.viewers) }),
	}
	return out, nil
}

func last(points []point, n int) []point { return points[max(0, len(points)-n):] }

func whole(points []point, of func(point) int) []int {
	all := make([]int, 0, len(points))
	for _, p := range points {
		all = append(all, of(p))
	}
	return all
}

// rounded are values in units of 1/grain.
func rounded(points []point, grain float64, of func(point) float32) []float64 {
	all := make([]float64, 0, len(points))
	for _, p := range points {
		all = append(all, math.Round(float64(of(p))*grain)/grain)
	}
	return all
}
