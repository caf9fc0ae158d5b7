package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// Contributor is who publishes to a stream: all of it, one of its qualities, or what
// stands by for either.
type Contributor struct {
	Label    string // of the quality: what its name ends with; "" without one
	Pushed   string // the name that it publishes, APP/NAME
	Remote   string // where it comes from
	Software string // what the encoder calls itself
	Began    time.Time
	OnAir    bool      // viewers get what it sends; else it stands by, or waits for its place
	Since    time.Time // that is so
	Lock     remux.Lock
	Alone    bool // another stood by beside it, and is gone
}

// Crew knows who publishes.
type Crew interface {
	// Contributors are in the order of the qualities; of one quality, who came first.
	Contributors(stream packager.StreamName) []Contributor
	// Switch has the publisher go on air that stands by for a name. The error is
	// ErrNobody, or tells why not.
	Switch(stream packager.StreamName, pushed string) error
}

// ErrNobody means that nobody publishes what is asked for.
var ErrNobody = errors.New("nobody publishes that name")

type contributorStatus struct {
	Label    string      `json:"label" doc:"Of the quality: what its name ends with; empty without one."`
	Pushed   string      `json:"pushed" doc:"The name that the encoder pushes: that of the stream, or of a quality of it."`
	Remote   string      `json:"remote" doc:"Where the encoder is."`
	Software string      `json:"software" doc:"What the encoder calls itself."`
	Began    time.Time   `json:"began"`
	OnAir    bool        `json:"onAir" doc:"Viewers get what it sends; else it stands by, or waits for its place."`
	Since    time.Time   `json:"since" doc:"When it went on air, or ceased to be."`
	Lock     *lockStatus `json:"lock,omitempty"`
}

// lockStatus tells how the timestamps of an encoder lie to those of the others.
type lockStatus struct {
	State      string  `json:"state"`
	Difference float64 `json:"difference" doc:"Seconds ahead of theirs, where it is constant."`
	PPM        float64 `json:"ppm" doc:"Its clock is faster than theirs, where it drifts."`
	Why        string  `json:"why,omitempty"`
}

// describeCrew shows who publishes a stream.
func describeCrew(crew []Contributor) []contributorStatus {
	all := []contributorStatus{}
	for _, c := range crew {
		one := contributorStatus{
			Label: c.Label, Pushed: c.Pushed, Remote: c.Remote, Software: c.Software,
			Began: c.Began.UTC(), OnAir: c.OnAir, Since: c.Since.UTC(),
		}
		if l := c.Lock; l.State != remux.LockNone {
			one.Lock = &lockStatus{State: l.State.String(), Difference: l.Difference.Seconds(), PPM: l.PPM, Why: l.Why}
		}
		all = append(all, one)
	}
	return all
}

func (s *Server) crew(stream packager.StreamName) []Contributor {
	if s.Crew == nil {
		return nil
	}
	return s.Crew.Contributors(stream)
}

// switching is a wish to switch: for the name in the query or in the body, else for the
// stream's own name.
type switching struct {
	Address
	Pushed string      `query:"pushed" doc:"The name that it publishes; the stream's own by default." example:"live/cam1_720p"`
	Body   *switchWish `required:"false"`
}

type switchWish struct {
	Pushed string `json:"pushed,omitempty" doc:"The name that it publishes, where it isn't in the query." example:"live/cam1_720p"`
}

func (s *Server) switchOver(_ context.Context, w *switching) (*none, error) {
	stream, err := w.parse()
	if err != nil {
		return nil, err
	}
	pushed := w.Pushed
	if pushed == "" && w.Body != nil {
		pushed = w.Body.Pushed
	}
	if pushed == "" {
		pushed = stream.String()
	}
	if s.Crew == nil {
		return nil, noSuch("stream")
	}
	err = s.Crew.Switch(stream, pushed)
	text := fmt.Sprintf("%s: %v", pushed, err)
	switch {
	case errors.Is(err, ErrNobody):
		return nil, huma.Error404NotFound(text)
	case err != nil:
		return nil, huma.Error409Conflict(text)
	}
	return &none{}, nil
}
