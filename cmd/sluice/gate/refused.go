package gate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// mostRefused is how many streams an operator can refuse at once.
const mostRefused = 1024

// refused are the streams that nobody may publish for a while, and who was refused of
// late.
type refused struct {
	mu    sync.Mutex
	until map[packager.StreamName]time.Time
	late  []admin.Refusal // oldest first
}

// Refuse is part of admin.Publishers.
func (g *Gate) Refuse(name packager.StreamName, until time.Time) bool {
	all := &g.refused
	all.mu.Lock()
	defer all.mu.Unlock()
	all.expire(g.Now())
	if _, ok := all.until[name]; !ok && len(all.until) >= mostRefused {
		return false
	}
	if all.until == nil {
		all.until = make(map[packager.StreamName]time.Time)
	}
	all.until[name] = until
	return true
}

// Admit is part of admin.Publishers.
func (g *Gate) Admit(name packager.StreamName) bool {
	all := &g.refused
	all.mu.Lock()
	defer all.mu.Unlock()
	all.expire(g.Now())
	_, ok := all.until[name]
	delete(all.until, name)
	return ok
}

// Refused is part of admin.Publishers.
func (g *Gate) Refused() map[packager.StreamName]time.Time {
	all := &g.refused
	all.mu.Lock()
	defer all.mu.Unlock()
	all.expire(g.Now())
	return maps.Clone(all.until)
}

// Refusals is part of admin.Publishers.
func (g *Gate) Refusals() []admin.Refusal {
	all := &g.refused
	all.mu.Lock()
	defer all.mu.Unlock()
	now := g.Now()
	all.late = slices.DeleteFunc(all.late, func(r admin.Refusal) bool { return now.Sub(r.At) > memorable })
	list := slices.Clone(all.late)
	slices.Reverse(list)
	return list
}

func (all *refused) expire(now time.Time) {
	maps.DeleteFunc(all.until, func(_ packager.StreamName, until time.Time) bool { return !until.After(now) })
}

// barred tells why nobody may push a name now, if it is so.
func (g *Gate) barred(p pushed) error {
	if g.Draining() {
		return errDraining
	}
	g.refused.mu.Lock()
	defer g.refused.mu.Unlock()
	for _, name := range []packager.StreamName{p.stream, p.name} {
		if until, ok := g.refused.until[name]; ok && until.After(g.Now()) {
			return denied{fmt.Errorf("the operator refuses this stream until %s", until.UTC().Format(time.RFC3339))}
		}
	}
	return nil
}

// refuses notes that a publisher was refused, of a stream whose name may be unknown.
func (g *Gate) refuses(r ingest.Request, stream string, err error) {
	refusal := admin.Refusal{At: g.Now().UTC(), App: short(r.App), Stream: stream, Remote: r.Remote.String(), What: reason(err), Why: err.Error()}
	all := &g.refused
	all.mu.Lock()
	all.late = append(all.late, refusal)
	if len(all.late) > mostRefusals {
		all.late = slices.Delete(all.late, 0, mostRefusals/4)
	}
	all.mu.Unlock()
	g.tell(admin.Event{Kind: admin.Refused, Stream: stream, Remote: refusal.Remote, Text: refusal.Why})
}

// short bounds a stranger's text.
func short(s string) string {
	const most = 128
	return s[:min(len(s), most)]
}

// reason is what an error is called.
func reason(err error) string {
	var full *metrics.Exceeded
	switch {
	case errors.As(err, &full):
		return string(full.Limit)
	case errors.Is(err, ingest.ErrDenied):
		return string(metrics.Publishing)
	case errors.Is(err, ingest.ErrBusy):
		return "busy"
	}
	return "other"
}
