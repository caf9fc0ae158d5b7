package relay

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// The states of a relay.
const (
	idle       = "idle"       // there is nothing to send, or nobody wants it
	connecting = "connecting" // until the other server says yes
	live       = "live"
	failed     = "failed" // it tries again
)

var states = []string{idle, connecting, live, failed}

// account is what is told of a relay: to operators, the log and metrics.
type account struct {
	relay     *Relay
	direction metrics.Direction
	other     client.Address
	log       zerolog.Logger

	mu    sync.Mutex
	shown admin.Relay
	fault string // that has been warned of
}

func (r *Relay) account(d metrics.Direction, name string, number int, other client.Address) account {
	return account{
		relay: r, direction: d, other: other,
		log: r.Log.With().Str("stream", name).Stringer("server", other).Logger(),
		shown: admin.Relay{
			Direction: string(d), Stream: name, Number: number, Server: other.String(), State: idle, Since: r.Now().UTC(),
		},
	}
}

func (a *account) half() int {
	if a.direction == metrics.Pull {
		return 0
	}
	return 1
}

func (a *account) now() admin.Relay {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shown
}

func (a *account) numbered(number int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shown.Number = number
}

// become notes a state.
func (a *account) become(state string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shown.State != state {
		a.shown.State, a.shown.Since, a.shown.Again = state, a.relay.Now().UTC(), nil
	}
}

// begins notes that the stream flows, and tells so.
func (a *account) begins(what string) {
	a.become(live)
	a.mu.Lock()
	a.shown.Why = ""
	a.mu.Unlock()
	a.log.Info().Msg(what)
	a.tell(admin.Event{Text: what + " " + a.other.String()})
}

// ends notes that it flows no longer, as it should be.
func (a *account) ends(what string) {
	a.become(idle)
	a.mu.Lock()
	a.fault = ""
	a.mu.Unlock()
	a.log.Info().Msg(what)
	a.tell(admin.Event{Text: what + " " + a.other.String(), Over: true})
}

// fails notes that it failed behind that time, and is tried again in a while. What is the same as
// before is told once, also where it was well for a moment in between.
func (a *account) fails(err error, lasted, wait time.Duration) {
	why := a.other.Hush(err.Error())
	a.mu.Lock()
	flowed := a.shown.State == live
	known := a.fault == why && lasted < steady
	a.fault = why
	again := a.relay.Now().UTC().Add(wait)
	a.shown.State, a.shown.Since, a.shown.Why, a.shown.Again = failed, a.relay.Now().UTC(), why, &again
	a.shown.Failures++
	a.mu.Unlock()
	a.relay.Metrics.RelayFailed(a.direction)
	e := a.log.Warn()
	if known {
		e = a.log.Debug()
	}
	e.Str("cause", why).Stringer("again", wait.Round(time.Millisecond)).Msg(string(a.direction) + " failed")
	if !known || flowed {
		a.tell(admin.Event{Text: string(a.direction) + " " + a.other.String() + ": " + why, Over: flowed})
	}
}

// passed counts bytes.
func (a *account) passed(bytes int) {
	a.relay.Metrics.Relayed(a.direction, bytes)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shown.Bytes += uint64(bytes)
}

// skips counts that the other server was so slow that something was left out.
func (a *account) skips() {
	a.relay.Metrics.Skipped()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shown.Skips++
}

func (a *account) tell(e admin.Event) {
	if a.relay.Tell != nil {
		e.Kind, e.Stream = admin.Relaying, a.shown.Stream
		a.relay.Tell(e)
	}
}
