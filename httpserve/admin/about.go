package admin

import (
	"context"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
)

// About is what the program says of itself.
type About struct {
	Version string    `json:"version"`
	Began   time.Time `json:"began" doc:"When the program did."`
	Ports   Ports     `json:"ports" doc:"Where encoders and viewers come in; 0: nowhere."`
	Needs   []string  `json:"needs" doc:"What an encoder may have to show, any one of: key, login, token, webhook. None: the network decides."`
}

// Ports are those of the listeners.
type Ports struct {
	RTMP  int `json:"rtmp"`
	RTMPS int `json:"rtmps"`
	HTTP  int `json:"http"`
	HTTPS int `json:"https"`
}

// serverStatus is the program, and all streams in a few numbers.
type serverStatus struct {
	About
	Now      time.Time    `json:"now"`
	Ready    bool         `json:"ready" doc:"It takes publishers."`
	Draining bool         `json:"draining"`
	Streams  streamCounts `json:"streams"`
	Viewers  int          `json:"viewers"`
}

type streamCounts struct {
	Live    int `json:"live"`
	Waiting int `json:"waiting"`
	Ended   int `json:"ended" doc:"And not forgotten yet."`
	Bad     int `json:"bad" doc:"Of which viewers miss something, as a sentence on health says."`
	Warning int `json:"warning" doc:"Of which some viewers do, or may."`
}

func (s *Server) about(context.Context, *none) (*output[serverStatus], error) {
	out := &output[serverStatus]{serverStatus{About: s.House.About(), Now: s.Now().UTC(), Ready: s.House.Ready(), Draining: s.House.Draining()}}
	out.Body.Needs = append([]string{}, out.Body.Needs...)
	n := &out.Body.Streams
	for _, stream := range s.House.Streams() {
		w := stream.Window()
		switch w.State {
		case packager.Live:
			n.Live++
		case packager.Waiting:
			n.Waiting++
		case packager.Ended:
			n.Ended++
		}
		if all := s.House.Health(w.Stream); len(all) > 0 {
			switch all[0].Severity {
			case health.Bad:
				n.Bad++
			case health.Warning:
				n.Warning++
			}
		}
		out.Body.Viewers += s.House.Viewers(w.Stream)
	}
	return out, nil
}
