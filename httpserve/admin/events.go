package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	mostListeners = 16               // who listen to events at once: half of the connections that operators have
	beat          = 15 * time.Second // between signs of life, where nothing happens
)

var lastEventID = &huma.Param{
	Name: "Last-Event-ID", In: "header", Description: "The id of the event that was heard last.",
	Schema: &huma.Schema{Type: huma.TypeString},
}

// aboutHappenings is the lines on what happens.
func (s *Server) aboutHappenings() []operation {
	o := text("/api/v1/events", "listen", "Events", "What happens, as server-sent events", "text/event-stream", s.listen, "503")
	o.Description = "Each event has its kind as `event`, its id as `id`, and an Event as `data`. A client that comes back says in `Last-Event-ID` which event it had last, and gets those since: " +
		"of the last " + strconv.Itoa(kept) + " events. A client that missed more gets an event `missed` first, and should look at everything again. Comments come every 15 s where nothing happens."
	o.Parameters = []*huma.Param{lastEventID}
	lay := o.lay
	o.lay = func(api huma.API, op huma.Operation) {
		api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Event](), true, "Event")
		lay(api, op)
	}
	return []operation{
		o, s.aboutLog(),
		on("GET", "/api/v1/hooks", "listHooks", "Events", "The webhooks that are told what happens (docs/webhook.md), and what waits for each", s.hooks),
	}
}

// aboutLog is the line on the log.
func (s *Server) aboutLog() operation {
	o := text("/api/v1/log", "readLog", "Events", "What is logged, as server-sent events", "text/event-stream", s.readAlong, "503")
	o.Description = "Each line is the `data` of an event `line`: an object with `level`, `time`, `message` and more. With 0 in `Last-Event-ID` the lines that are kept come first: the newest " +
		strconv.Itoa(keptLines) + ", at most. log.level says how much is logged."
	o.Parameters = []*huma.Param{lastEventID}
	return o
}

// Hook is a web service that is told what happens.
type Hook struct {
	URL           string     `json:"url" doc:"Without path and query, which may be secret." example:"https://example.com"`
	Waiting       int        `json:"waiting" doc:"Events that it has not been told of yet."`
	Delivered     uint64     `json:"delivered" doc:"Events that it was told of."`
	Failed        uint64     `json:"failed" doc:"Attempts that failed."`
	Dropped       uint64     `json:"dropped" doc:"Events that it is never told of: too many waited, one for too long, or it won't take them."`
	Trouble       string     `json:"trouble,omitempty" doc:"Why the last attempt failed."`
	FailingSince  *time.Time `json:"failingSince,omitempty" doc:"Absent while it hears what it is told."`
	LastDelivered *time.Time `json:"lastDelivered,omitempty"`
}

type hookList struct {
	Hooks []Hook `json:"hooks" doc:"As hooks.urls has them."`
}

func (s *Server) hooks(context.Context, *none) (*output[hookList], error) {
	return &output[hookList]{hookList{append([]Hook{}, s.House.Hooks()...)}}, nil
}

// listen tells of what happens until one of both goes.
func (s *Server) listen(w http.ResponseWriter, r *http.Request) {
	s.follow(w, r, s.Feed.Newest(), func(at uint64) (text []byte, _ uint64, _ <-chan struct{}, _ bool) {
		events, more, open := s.Feed.Behind(at)
		for _, e := range events {
			at = e.ID
			text = appendEvent(text, e)
		}
		return text, at, more, open
	})
}

func appendEvent(b []byte, e Event) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // it is of our own type
	}
	return fmt.Appendf(b, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Kind, data)
}
