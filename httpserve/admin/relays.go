package admin

import (
	"context"
	"time"
)

// aboutRelays are the lines on who plays by RTMP, and on other servers.
func (s *Server) aboutRelays() []operation {
	return []operation{
		on("GET", "/api/v1/readers", "listReaders", "Relays", "Who plays by RTMP", s.readers),
		on("GET", "/api/v1/relays", "listRelays", "Relays", "The streams that are fetched from other servers (pull), and sent on to them (push), and the state of each", s.relays),
	}
}

// Reader is one who plays a stream by RTMP.
type Reader struct {
	ID       string    `json:"id"`
	Stream   string    `json:"stream" example:"live/cam1"`
	Remote   string    `json:"remote" example:"192.0.2.7:50312"`
	Software string    `json:"software" doc:"What the reader calls itself."`
	Viewer   string    `json:"viewer,omitempty" doc:"The viewer's id, where the token says it."`
	TLS      bool      `json:"tls"`
	Relay    bool      `json:"relay" doc:"It is another sluice, which pulls the stream."`
	Began    time.Time `json:"began"`
	Bytes    uint64    `json:"bytes" doc:"Of pictures and sound that were drawn for it, as of a part ago."`
	Skips    int       `json:"skips" doc:"How often it was so slow that it went on with a newer keyframe."`
}

// Relay is one stream that is fetched from another server, or sent on to one.
type Relay struct {
	Direction string     `json:"direction" enum:"pull,push"`
	Stream    string     `json:"stream" doc:"As it is called here." example:"live/cam1"`
	Number    int        `json:"number" doc:"Of the target, among those of the stream: as the configuration has them."`
	Server    string     `json:"server" doc:"The other server, without what may be a secret." example:"rtmp://live.example.com/…"`
	OnDemand  bool       `json:"onDemand" doc:"It is fetched while somebody wants it."`
	State     string     `json:"state" enum:"idle,connecting,live,failed" doc:"idle: there is nothing to send, or nobody wants it; failed: it tries again."`
	Since     time.Time  `json:"since" doc:"When the state began."`
	Why       string     `json:"why,omitempty" doc:"How the last try ended, where that was a failure."`
	Again     *time.Time `json:"again,omitempty" doc:"When it is tried again."`
	Failures  int        `json:"failures" doc:"Since the process began, or the configuration has it."`
	Bytes     uint64     `json:"bytes" doc:"Since then."`
	Skips     int        `json:"skips" doc:"How often the other server was so slow that it went on with a newer keyframe."`
}

type readerList struct {
	Readers []Reader `json:"readers" doc:"The newest comes first."`
}

func (s *Server) readers(_ context.Context, f *ofStream) (*output[readerList], error) {
	out := &output[readerList]{readerList{[]Reader{}}}
	for _, r := range s.House.Readers() {
		if f.Stream == "" || f.Stream == r.Stream {
			out.Body.Readers = append(out.Body.Readers, r)
		}
	}
	return out, nil
}

type relayList struct {
	Relays []Relay `json:"relays" doc:"Pulls first, each by stream."`
}

func (s *Server) relays(_ context.Context, f *ofStream) (*output[relayList], error) {
	out := &output[relayList]{relayList{[]Relay{}}}
	for _, r := range s.House.Relays() {
		if f.Stream == "" || f.Stream == r.Stream {
			out.Body.Relays = append(out.Body.Relays, r)
		}
	}
	return out, nil
}

type ofStream struct {
	Stream string `query:"stream" doc:"Those of that stream alone." example:"live/cam1"`
}
