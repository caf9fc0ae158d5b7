package admin

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
)

// house is a program that lives, and does what it is told.
type house struct {
	all      []*packager.Stream
	sessions []Session
	refused  map[packager.StreamName]time.Time
	drained  bool
	faulty   bool // the configuration is
	level    string
}

func (h *house) About() About {
	return About{Version: "v1", Began: time.Now(), Ports: Ports{RTMP: 1935, HTTP: 8080}}
}
func (h *house) Ready() bool                     { return !h.drained }
func (h *house) Streams() []*packager.Stream     { return h.all }
func (h *house) Viewers(packager.StreamName) int { return 3 }
func (h *house) Health(packager.StreamName) []health.Advice {
	return []health.Advice{{Code: "keyframes_far", Severity: health.Warning, Text: "keyframes come every 10 s", Since: time.Now()}}
}
func (h *house) Hooks() []Hook {
	return []Hook{{URL: "https://example.com", Waiting: 1, Delivered: 2, Trouble: "it answered 500", FailingSince: new(time.Now())}}
}
func (h *house) Sessions() []Session       { return h.sessions }
func (h *house) EndSession(id string) bool { return len(h.sessions) > 0 && h.sessions[0].ID == id }
func (h *house) Readers() []Reader {
	return []Reader{{ID: "r1", Stream: "live/cam1"}, {ID: "r2", Stream: "live/cam2"}}
}
func (h *house) Relays() []Relay {
	return []Relay{{Direction: "pull", Stream: "live/cam2", State: "live"}, {Direction: "push", Stream: "live/cam1", State: "failed"}}
}
func (h *house) Draining() bool           { return h.drained }
func (h *house) Drain(string)             { h.drained = true }
func (h *house) Undrain()                 { h.drained = false }
func (h *house) LogLevel() string         { return h.level }
func (h *house) SetLogLevel(level string) { h.level = level }

func (h *house) Refused() map[packager.StreamName]time.Time { return maps.Clone(h.refused) }

func (h *house) End(name packager.StreamName) bool {
	for _, s := range h.all {
		if s.Window().Stream == name {
			return true
		}
	}
	return false
}

func (h *house) Refuse(name packager.StreamName, until time.Time) bool {
	if h.refused == nil {
		h.refused = make(map[packager.StreamName]time.Time)
	}
	h.refused[name] = until
	return len(h.refused) < 3
}

func (h *house) Admit(name packager.StreamName) bool {
	_, ok := h.refused[name]
	delete(h.refused, name)
	return ok
}

func (h *house) Refusals() []Refusal {
	return []Refusal{{At: time.Now(), App: "live", Remote: "192.0.2.9:1", What: "publish", Why: "access denied"}}
}

func (h *house) Settings() []Setting {
	return []Setting{{Path: "rtmp.addr", Value: ":1935"}, {Path: "admin.token", Value: "(hidden)", Secret: true}}
}

func (h *house) Reload(context.Context) error {
	if h.faulty {
		return errors.New("sluice.yaml:3: what is this")
	}
	return nil
}
