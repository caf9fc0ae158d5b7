package admin

import (
	"strings"
	"time"

	"github.com/sluice-live/sluice/packager/health"
)

// Kind is what sort of thing has happened.
type Kind string

// The kinds of events.
const (
	Published   Kind = "published"   // an encoder was let in
	Unpublished Kind = "unpublished" // its session is over
	Ready       Kind = "ready"       // a stream can be watched
	Lost        Kind = "lost"        // a stream waits for its encoder
	Back        Kind = "back"        // which came back
	Ended       Kind = "ended"       // a stream is over
	HealthIs    Kind = "health"      // what is wrong with a stream has changed
	Switched    Kind = "switched"    // an encoder is on air in the place of another
	Refused     Kind = "refused"     // a publisher was refused
	Relaying    Kind = "relay"       // a stream goes to another server, or comes from one; over: no longer
	Reloaded    Kind = "reloaded"    // the configuration was read again
	Drained     Kind = "drain"       // the server was drained, or is no more
	Missed      Kind = "missed"      // there were more events than are kept, or others before a restart: look at all again
)

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{Published, Unpublished, Ready, Lost, Back, Ended, HealthIs, Switched, Refused, Relaying, Reloaded, Drained, Missed}
}

// Event is something that has happened.
type Event struct {
	ID      uint64    `json:"id" doc:"Grows, also over a restart."`
	At      time.Time `json:"at"`
	Kind    Kind      `json:"kind" enum:"published,unpublished,ready,lost,back,ended,health,switched,refused,relay,reloaded,drain,missed"`
	Stream  string    `json:"stream,omitempty" example:"live/cam1"`
	Pushed  string    `json:"pushed,omitempty" doc:"The name that an encoder pushes: that of the stream, or of a quality of it."`
	Session string    `json:"session,omitempty"`
	Remote  string    `json:"remote,omitempty" doc:"Where an encoder is." example:"192.0.2.7:50312"`
	Text    string    `json:"text,omitempty" doc:"In words."`

	Code   string         `json:"code,omitempty" doc:"Of a sentence on health, as in docs/health.md; of a switch, why: lost, silent, hand, return."`
	Over   bool           `json:"over,omitempty" doc:"It is no longer so."`
	Advice *health.Advice `json:"advice,omitempty" doc:"The sentence on health, with what to set."`
}

// longestText bounds what is remembered of an event: others' words may be in it.
const longestText = 2 << 10

// kept is how many events a Feed remembers, for who comes back or is slow.
const kept = 1024

// Feed is what has happened of late. A nil Feed takes anything, and has nothing.
type Feed struct {
	now   func() time.Time
	river *river[Event]
}

// NewFeed returns an empty Feed. now is the wall clock.
func NewFeed(now func() time.Time) *Feed {
	// Nothing happens a thousand times a second for long: ids grow over a restart.
	return &Feed{now, newRiver[Event](kept, uint64(now().UnixMilli()))}
}

// Tell adds an event. Its id and time are the Feed's.
func (f *Feed) Tell(e Event) {
	if f == nil {
		return
	}
	if len(e.Text) > longestText {
		e.Text = strings.ToValidUTF8(e.Text[:longestText], "") + "…"
	}
	f.river.put(func(id uint64) Event {
		e.ID, e.At = id, f.now().UTC()
		return e
	})
}

// Close ends the waiting of all who listen.
func (f *Feed) Close() {
	if f != nil {
		f.river.close()
	}
}

// Newest is the id of the last event.
func (f *Feed) Newest() uint64 {
	if f == nil {
		return 0
	}
	return f.river.newest()
}

// Behind returns the events behind one, and what is closed when there are more. The
// first is of kind Missed where some are not known any more. open is false when no
// more will come.
func (f *Feed) Behind(id uint64) (events []Event, more <-chan struct{}, open bool) {
	if f == nil {
		return nil, nil, false
	}
	c := f.river.behind(id)
	if c.missed {
		events = append(events, Event{ID: c.before, At: f.now().UTC(), Kind: Missed})
	}
	return append(events, c.all...), c.more, c.open
}
