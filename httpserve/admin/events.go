package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	mostListeners = 32               // who listen to events at once
	beat          = 15 * time.Second // between signs of life, where nothing happens
)

// aboutHappenings is the line on what happens.
func (s *Server) aboutHappenings() []operation {
	o := text("/api/v1/events", "listen", "Events", "What happens, as server-sent events", "text/event-stream", s.listen, "503")
	o.Description = "Each event has its kind as `event`, its id as `id`, and an Event as `data`. Who comes back says in `Last-Event-ID` what was heard last, and gets what was told since: " +
		"of the last " + strconv.Itoa(kept) + " events. Who missed more than that gets an event `missed` first, and should look at all again. Comments come every 15 s where nothing happens."
	o.Parameters = []*huma.Param{{
		Name: "Last-Event-ID", In: "header", Description: "The id of the event that was heard last.",
		Schema: &huma.Schema{Type: huma.TypeString},
	}}
	lay := o.lay
	o.lay = func(api huma.API, op huma.Operation) {
		api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Event](), true, "Event")
		lay(api, op)
	}
	return []operation{o}
}

// listen tells of what happens until one of both goes.
func (s *Server) listen(w http.ResponseWriter, r *http.Request) {
	at := s.Feed.newest()
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		id, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			refuse(w, r, http.StatusUnprocessableEntity, "Last-Event-ID is no id of an event")
			return
		}
		at = id
	}
	defer s.listening.Add(-1)
	if s.listening.Add(1) > mostListeners {
		refuse(w, r, http.StatusServiceUnavailable, "too many listen already")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for first := true; ; first = false {
		events, more, open := s.Feed.behind(at)
		text := []byte(nil)
		for _, e := range events {
			at = e.ID
			text = appendEvent(text, e)
		}
		if len(events) == 0 && (first || open) {
			text = []byte(":\n\n") // so that the header goes out, and a dead connection shows
		}
		// By the machine's clock, as sockets go by it; in tests there may be no socket.
		_ = control.SetWriteDeadline(time.Now().Add(s.WriteTimeout))
		if _, err := w.Write(text); err != nil || control.Flush() != nil || !open {
			return
		}
		// HTTP/2 breaks off at the deadline, written or not.
		_ = control.SetWriteDeadline(time.Now().Add(beat + s.WriteTimeout))
		select {
		case <-more:
		case <-alive.C:
		case <-r.Context().Done():
			return
		}
	}
}

func appendEvent(b []byte, e Event) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // it is of our own type
	}
	return fmt.Appendf(b, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Kind, data)
}
