package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"
)

// aboutPublishers are the lines on who publishes, and who may not.
func (s *Server) aboutPublishers() []operation {
	return []operation{
		on("GET", "/api/v1/sessions", "listSessions", "Publishers", "Who publishes, or did within the hour, and why it ended", s.sessions),
		on("GET", "/api/v1/sessions/{id}", "getSession", "Publishers", "One of them", s.session, http.StatusNotFound),
		on("DELETE", "/api/v1/sessions/{id}", "endSession", "Publishers", "End a session: its stream waits for the encoder, as if its connection were lost", s.endSession, http.StatusNotFound),
		on("GET", "/api/v1/refused", "listRefused", "Publishers", "The streams that nobody may publish for now", s.refused),
		on("PUT", "/api/v1/refused/{app}/{name}", "refuseStream", "Publishers", "Let nobody begin to publish a stream for a while; its publishers go on", s.refuse, http.StatusNotFound, http.StatusInsufficientStorage),
		on("DELETE", "/api/v1/refused/{app}/{name}", "admitStream", "Publishers", "Let it be published again", s.admit, http.StatusNotFound),
		on("GET", "/api/v1/refusals", "listRefusals", "Publishers", "Who was refused within the hour, and why", s.refusals),
	}
}

type sessionFilter struct {
	Stream string `query:"stream" doc:"Those of that stream alone." example:"live/cam1"`
	Live   bool   `query:"live" doc:"Those that publish now alone."`
}

type sessionList struct {
	Sessions []Session `json:"sessions" doc:"As many as are kept. The newest comes first."`
}

func (s *Server) sessions(_ context.Context, f *sessionFilter) (*output[sessionList], error) {
	all := slices.DeleteFunc(s.sessionsOf(f.Stream), func(one Session) bool { return f.Live && one.Ended != nil })
	return &output[sessionList]{sessionList{all}}, nil
}

// sessionsOf are those of a stream, or all where its name is empty.
func (s *Server) sessionsOf(stream string) []Session {
	all := []Session{}
	for _, one := range s.House.Sessions() {
		if stream == "" || one.Stream == stream {
			all = append(all, one)
		}
	}
	return all
}

type sessionID struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *Server) session(_ context.Context, id *sessionID) (*output[Session], error) {
	for _, one := range s.House.Sessions() {
		if one.ID == id.ID {
			return &output[Session]{one}, nil
		}
	}
	return nil, noSuch("session")
}

func (s *Server) endSession(_ context.Context, id *sessionID) (*none, error) {
	if !s.House.EndSession(id.ID) {
		return nil, noSuch("session: it has ended, or has not been")
	}
	return &none{}, nil
}

type refusedStream struct {
	Name  string    `json:"name" example:"live/cam1"`
	Until time.Time `json:"until"`
}

type refusedStreams struct {
	Streams []refusedStream `json:"streams" doc:"By name."`
}

func (s *Server) refused(context.Context, *none) (*output[refusedStreams], error) {
	out := &output[refusedStreams]{refusedStreams{[]refusedStream{}}}
	for name, until := range s.House.Refused() {
		out.Body.Streams = append(out.Body.Streams, refusedStream{name.String(), until})
	}
	slices.SortFunc(out.Body.Streams, func(a, b refusedStream) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

type refusing struct {
	Address
	For int `query:"for" minimum:"1" maximum:"604800" default:"600" doc:"Seconds."`
}

func (s *Server) refuse(_ context.Context, r *refusing) (*output[refusedStream], error) {
	name, err := r.parse()
	if err != nil {
		return nil, err
	}
	until, err := s.refuseFor(name, r.For)
	if err != nil {
		return nil, err
	}
	return &output[refusedStream]{refusedStream{name.String(), *until}}, nil
}

func (s *Server) admit(_ context.Context, a *Address) (*none, error) {
	name, err := a.parse()
	if err != nil {
		return nil, err
	}
	if !s.House.Admit(name) {
		return nil, noSuch("refused stream")
	}
	return &none{}, nil
}

type refusalList struct {
	Refusals []Refusal `json:"refusals" doc:"Of publishers, as many as are kept. The newest comes first."`
}

func (s *Server) refusals(context.Context, *none) (*output[refusalList], error) {
	return &output[refusalList]{refusalList{append([]Refusal{}, s.House.Refusals()...)}}, nil
}
