package admin

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// Stretch says how much of a stream is looked at.
type Stretch struct {
	Address
	Seconds int `query:"seconds" minimum:"1" maximum:"60" default:"20" doc:"Of the newest, at most: what is listed is less."`
}

type timeline struct {
	Name       string     `json:"name" example:"live/cam1"`
	Target     float64    `json:"target" doc:"Seconds that a part lasts at most."`
	Renditions []timeLane `json:"renditions"`
}

// timeLane is a rendition in time.
type timeLane struct {
	ID       string        `json:"id" example:"v1"`
	Kind     string        `json:"kind" enum:"video,audio"`
	Segments []timeSegment `json:"segments" doc:"Oldest first."`
}

type timeSegment struct {
	Number   int64      `json:"number" doc:"Its media sequence number."`
	Begins   time.Time  `json:"begins"`
	Duration float64    `json:"duration" doc:"Seconds, so far where it is open."`
	Bytes    int        `json:"bytes"`
	Open     bool       `json:"open" doc:"It is in production."`
	Starts   bool       `json:"starts" doc:"Decoding can start with it."`
	Parts    []timePart `json:"parts"`
}

type timePart struct {
	Duration float64 `json:"duration" doc:"Seconds."`
	Bytes    int     `json:"bytes"`
	Starts   bool    `json:"starts" doc:"Decoding can start in it."`
	Gap      bool    `json:"gap" doc:"Nothing came then."`
}

func (s *Server) timeline(_ context.Context, a *Stretch) (*output[timeline], error) {
	stream, err := s.find(&a.Address)
	if err != nil {
		return nil, err
	}
	w := stream.Window()
	out := &output[timeline]{timeline{Name: w.Stream.String(), Target: w.PartTarget.Seconds(), Renditions: []timeLane{}}}
	for i := range w.Renditions {
		if r := &w.Renditions[i]; r.Header != nil {
			lane := timeLane{ID: string(r.ID), Kind: r.Header.Track.Kind().String(), Segments: []timeSegment{}}
			for seg := range newest(r, float64(a.Seconds)) {
				lane.Segments = append(lane.Segments, describeSegment(&seg))
			}
			slices.Reverse(lane.Segments)
			out.Body.Renditions = append(out.Body.Renditions, lane)
		}
	}
	return out, nil
}

// stretched is a segment as the newest Window has it: closed, or not yet.
type stretched struct {
	packager.Segment
	open bool
}

// newest yields the segments of a rendition, the newest first, until those seconds are
// full.
func newest(r *packager.Rendition, seconds float64) func(yield func(stretched) bool) {
	return func(yield func(stretched) bool) {
		if len(r.Parts) > 0 {
			open := packager.Segment{MSN: r.Open, Header: r.Header, Parts: r.Parts, PTS: r.OpenPTS, Independent: r.OpenIndependent}
			for _, p := range r.Parts {
				open.Duration += p.Duration
				open.Size += len(p.Bytes)
			}
			seconds -= open.Seconds()
			if !yield(stretched{open, true}) {
				return
			}
		}
		for _, s := range slices.Backward(r.Segments) {
			if seconds <= 0 {
				return
			}
			seconds -= s.Seconds()
			if !yield(stretched{*s, false}) {
				return
			}
		}
	}
}

func describeSegment(s *stretched) timeSegment {
	out := timeSegment{
		Number: int64(s.MSN), Begins: s.Time(), Duration: s.Seconds(), Bytes: s.Size, Open: s.open, Starts: s.Independent, Parts: []timePart{},
	}
	for i := range s.Parts {
		p := &s.Parts[i]
		out.Parts = append(out.Parts, timePart{Duration: s.Header.Seconds(p.Duration), Bytes: len(p.Bytes), Starts: p.Independent, Gap: p.Gap})
	}
	return out
}

// framesOf says whose frames are looked at.
type framesOf struct {
	Stretch
	Rendition string `query:"rendition" maxLength:"64" doc:"The first picture by default." example:"v1"`
}

type frameList struct {
	Rendition string  `json:"rendition" example:"v1"`
	Codec     string  `json:"codec" example:"avc1.640028"`
	Frames    []frame `json:"frames" doc:"In the order of decoding, oldest first; none where there is no such picture."`
}

// frame is one picture as it was encoded.
type frame struct {
	At       float64   `json:"at" doc:"Seconds from the first of them to where it is decoded."`
	Shown    float64   `json:"shown" doc:"The same, to where it is shown."`
	Duration float64   `json:"duration" doc:"Seconds."`
	Bytes    int       `json:"bytes"`
	Kind     frameKind `json:"kind" enum:"key,next,early" doc:"key: decoding can start with it; early: it is shown before one that is decoded before it, as B-frames are; next: neither."`
}

type frameKind string

const (
	keyFrame   frameKind = "key"
	nextFrame  frameKind = "next"
	earlyFrame frameKind = "early"
)

func (s *Server) frames(_ context.Context, a *framesOf) (*output[frameList], error) {
	stream, err := s.find(&a.Address)
	if err != nil {
		return nil, err
	}
	w := stream.Window()
	out := &output[frameList]{frameList{Rendition: a.Rendition, Frames: []frame{}}}
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if r.Header == nil || r.Header.Track.Kind() != remux.Video || a.Rendition != "" && a.Rendition != string(r.ID) {
			continue
		}
		out.Body = frameList{Rendition: string(r.ID), Codec: r.Header.Track.Codecs, Frames: framesIn(r, float64(a.Seconds))}
		break
	}
	return out, nil
}

// framesIn are the frames of the newest segments of a rendition.
func framesIn(r *packager.Rendition, seconds float64) []frame {
	all := []frame{}
	segments := slices.Collect(newest(r, seconds))
	var began time.Time
	latest := math.Inf(-1) // where one is shown so far
	for _, s := range slices.Backward(segments) {
		h := s.Header
		for i := range s.Parts {
			for u := range cmaf.Units(s.Parts[i].Bytes) {
				if began.IsZero() {
					began = h.Time(u.DTS)
				}
				f := frame{
					At: h.Time(u.DTS).Sub(began).Seconds(), Shown: h.Time(u.DTS + int64(u.CompositionOffset)).Sub(began).Seconds(),
					Duration: h.Seconds(int64(u.Duration)), Bytes: int(u.Size), Kind: nextFrame,
				}
				switch {
				case u.Flags == cmaf.Sync:
					f.Kind = keyFrame
				case f.Shown < latest:
					f.Kind = earlyFrame
				}
				latest = max(latest, f.Shown)
				all = append(all, f)
			}
		}
	}
	return all
}
