package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
)

// aboutStreams are the lines on streams and who watches them.
func (s *Server) aboutStreams() []operation {
	switchStream := on("POST", "/api/v1/streams/{app}/{name}/switch", "switchStream", "Streams", "Have the publisher go on air that stands by", s.switchOver, http.StatusBadRequest, http.StatusNotFound, http.StatusConflict)
	switchStream.DefaultStatus = http.StatusAccepted // it comes at its next keyframe
	return []operation{
		on("GET", "/api/v1/streams", "listStreams", "Streams", "All streams, by name", s.streams),
		on("GET", "/api/v1/streams/{app}/{name}", "getStream", "Streams", "One stream, with its publishers of the last hour", s.stream, http.StatusNotFound),
		on("DELETE", "/api/v1/streams/{app}/{name}", "endStream", "Streams", "End a stream, and refuse it for a while", s.endStream, http.StatusNotFound, http.StatusInsufficientStorage),
		switchStream,
		on("GET", "/api/v1/streams/{app}/{name}/timeline", "getTimeline", "Streams", "The newest segments and parts of a stream", s.timeline, http.StatusNotFound),
		on("GET", "/api/v1/streams/{app}/{name}/frames", "getFrames", "Streams", "The newest frames of a picture: its groups of pictures", s.frames, http.StatusNotFound),
		on("GET", "/api/v1/history", "getHistory", "Streams", "What streams were like over the last ten minutes", s.history),
		on("GET", "/api/v1/viewers", "listViewers", "Streams", "How many watch each stream, about", s.viewers),
	}
}

// Stream is one stream as the API shows it.
type Stream struct {
	Name       string          `json:"name" example:"live/cam1"`
	State      string          `json:"state" enum:"live,waiting,ended" doc:"waiting: the encoder was lost, and may come back."`
	Live       bool            `json:"live" doc:"It has not ended."`
	Viewers    int             `json:"viewers" doc:"Who watched within the last seconds, about."`
	Bytes      int             `json:"bytes" doc:"In memory: fetchable, also of what the stream had before, and pinned."`
	Pinned     int             `json:"pinned" doc:"Bytes in memory for slow viewers alone."`
	Renditions []Rendition     `json:"renditions"`
	Health     []health.Advice `json:"health" doc:"What is wrong, in sentences: the worst first."`
	LeftOut    []string        `json:"leftOut" doc:"What viewers don't get, and what to set in the encoder."`

	Contributors []contributorStatus `json:"contributors" doc:"Who publishes it now, and what of it: in the order of the qualities."`
}

// Rendition is one track of a stream.
type Rendition struct {
	ID       string     `json:"id" example:"v1"`
	Codec    string     `json:"codec" example:"avc1.640028"`
	Width    int        `json:"width,omitempty"`
	Height   int        `json:"height,omitempty"`
	Segments int        `json:"segments"`
	Seconds  float64    `json:"seconds" doc:"In the playlist."`
	Away     *time.Time `json:"awaySince,omitempty" doc:"From when on the encoder has sent nothing of it."`
	Bytes    int        `json:"bytes" doc:"In memory, fetchable."`
	Peak     int        `json:"peakBitrate" doc:"Bit/s of the largest segment."`
	Average  int        `json:"averageBitrate" doc:"Bit/s."`
	Apart    float64    `json:"keyframesApart" doc:"Seconds from where segments of the best quality begin, at most; 0: they begin alike."`
	End      *time.Time `json:"end,omitempty" doc:"Media time of the end of the last segment."`
}

// Page is a part of the list.
type Page struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000" doc:"Most streams in the answer."`
	After string `query:"after" doc:"The name behind which to begin: next of the page before." example:"live/cam1"`
	State string `query:"state" enum:"live,waiting,ended" doc:"Those in that state alone."`
	App   string `query:"app" doc:"Those of that app alone." example:"live"`
	Name  string `query:"name" doc:"Those alone whose name, behind the app, begins with that." example:"cam"`

	Health health.Severity `query:"health" enum:"bad,warning,notice" doc:"Those alone of which a sentence on health says something so bad, or worse."`
}

type streamPage struct {
	Streams []Stream `json:"streams"`
	Total   int      `json:"total" doc:"How many there are on all pages."`
	Next    string   `json:"next,omitempty" doc:"after of the next page; absent on the last."`
}

func (s *Server) streams(_ context.Context, p *Page) (*output[streamPage], error) {
	out := &output[streamPage]{}
	out.Body.Streams = []Stream{}
	found, total, next := s.pick(p)
	out.Body.Total, out.Body.Next = total, next
	for _, f := range found {
		out.Body.Streams = append(out.Body.Streams, s.describe(f.stream))
	}
	return out, nil
}

// pick finds the streams of a page, by name, and how many there are on all pages.
func (s *Server) pick(p *Page) (found []named, total int, next string) {
	for _, stream := range s.House.Streams() {
		w := stream.Window()
		if name := w.Stream.String(); p.has(name, w.State) && (p.Health == "" || s.unwell(w.Stream, p.Health)) {
			found = append(found, named{name, stream})
		}
	}
	total = len(found)
	slices.SortFunc(found, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	at, same := slices.BinarySearchFunc(found, p.After, func(a named, after string) int { return cmp.Compare(a.name, after) })
	if same {
		at++
	}
	found = found[at:]
	if len(found) > p.Limit {
		found = found[:p.Limit]
		next = found[p.Limit-1].name
	}
	return found, total, next
}

// unwell tells whether something so bad, or worse, is said of a stream.
func (s *Server) unwell(name packager.StreamName, so health.Severity) bool {
	all := s.House.Health(name)
	return len(all) > 0 && slices.Index(health.Severities, all[0].Severity) <= slices.Index(health.Severities, so)
}

type named struct {
	name   string
	stream *packager.Stream
}

func (p *Page) has(name string, state packager.State) bool {
	app, rest, _ := strings.Cut(name, "/")
	return (p.State == "" || p.State == state.String()) && (p.App == "" || p.App == app) && strings.HasPrefix(rest, p.Name)
}

// Address names a stream.
type Address struct {
	App  string `path:"app" maxLength:"255" example:"live"`
	Name string `path:"name" maxLength:"255" example:"cam1"`
}

func (a *Address) parse() (packager.StreamName, error) {
	name, err := packager.ParseStreamName(a.App, a.Name)
	if err != nil {
		return name, noSuch("stream: nothing can be called that")
	}
	return name, nil
}

// oneStream is what there is to say of one.
type oneStream struct {
	Stream
	RefusedUntil *time.Time `json:"refusedUntil,omitempty" doc:"Nobody may publish it until then."`
	Sessions     []Session  `json:"sessions" doc:"Who publishes it, or did within the hour. The newest comes first."`
}

func (s *Server) stream(_ context.Context, a *Address) (*output[oneStream], error) {
	stream, err := s.find(a)
	if err != nil {
		return nil, err
	}
	name := stream.Window().Stream
	out := &output[oneStream]{oneStream{Stream: s.describe(stream), Sessions: s.sessionsOf(name.String())}}
	if until, ok := s.House.Refused()[name]; ok {
		out.Body.RefusedUntil = &until
	}
	return out, nil
}

// find finds the stream that a path names.
func (s *Server) find(a *Address) (*packager.Stream, error) {
	name, err := a.parse()
	if err != nil {
		return nil, err
	}
	for _, stream := range s.House.Streams() {
		if stream.Window().Stream == name {
			return stream, nil
		}
	}
	return nil, noSuch("stream: it is not live, and was not until lately")
}

type ending struct {
	Address
	Refuse int `query:"refuse" minimum:"0" maximum:"604800" doc:"Seconds for which nobody may publish it: encoders come back by themselves."`
}

type ended struct {
	Ended        bool       `json:"ended" doc:"There was something to end."`
	RefusedUntil *time.Time `json:"refusedUntil,omitempty"`
}

func (s *Server) endStream(_ context.Context, e *ending) (*output[ended], error) {
	name, err := e.parse()
	if err != nil {
		return nil, err
	}
	out := new(output[ended])
	if e.Refuse > 0 { // before, or an encoder is back at once
		if out.Body.RefusedUntil, err = s.refuseFor(name, e.Refuse); err != nil {
			return nil, err
		}
	}
	out.Body.Ended = s.House.End(name)
	if !out.Body.Ended && e.Refuse == 0 {
		return nil, noSuch("stream: nobody publishes it, and it waits for nobody")
	}
	return out, nil
}

func (s *Server) refuseFor(name packager.StreamName, seconds int) (*time.Time, error) {
	until := s.Now().Add(time.Duration(seconds) * time.Second).UTC()
	if !s.House.Refuse(name, until) {
		return nil, huma.NewError(http.StatusInsufficientStorage, "too many streams are refused already")
	}
	return &until, nil
}

func (s *Server) describe(stream *packager.Stream) Stream {
	w := stream.Window()
	crew := s.crew(w.Stream)
	out := Stream{
		Name: w.Stream.String(), State: w.State.String(), Live: w.State != packager.Ended, Viewers: s.House.Viewers(w.Stream),
		Bytes: w.Bytes() + stream.Pinned(), Pinned: stream.Pinned(), Renditions: []Rendition{},
		Health: s.House.Health(w.Stream), LeftOut: append([]string{}, w.LeftOut...),
		Contributors: describeCrew(crew),
	}
	apart := make(map[packager.RenditionID]time.Duration)
	for _, u := range w.Unaligned() {
		apart[u.Rendition.ID] = u.Off.Abs()
	}
	for i := range w.Renditions {
		if r := &w.Renditions[i]; r.Header != nil {
			one := describeRendition(r)
			one.Apart = apart[r.ID].Seconds()
			out.Renditions = append(out.Renditions, one)
		}
	}
	return out
}

func describeRendition(r *packager.Rendition) Rendition {
	s := Rendition{
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
		s.Away = new(time.Unix(0, r.AwaySince).UTC())
	}
	if n := len(r.Segments); n > 0 {
		last := r.Segments[n-1]
		s.End = new(last.Header.Time(last.PTS + last.Duration))
	}
	return s
}

type audience struct {
	Name    string `json:"name" example:"live/cam1"`
	Viewers int    `json:"viewers"`
}

type audiences struct {
	Streams []audience `json:"streams" doc:"Those that are not forgotten yet, by name."`
	Total   int        `json:"total"`
}

func (s *Server) viewers(context.Context, *none) (*output[audiences], error) {
	out := &output[audiences]{audiences{Streams: []audience{}}}
	for _, stream := range s.House.Streams() {
		name := stream.Window().Stream
		n := s.House.Viewers(name)
		out.Body.Streams = append(out.Body.Streams, audience{name.String(), n})
		out.Body.Total += n
	}
	slices.SortFunc(out.Body.Streams, func(a, b audience) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
