package gate

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// Contributor is one of those who publish a stream.
type Contributor struct {
	Label    string
	Pushed   string // APP/NAME
	Remote   netip.AddrPort
	Software string
	Began    time.Time
	OnAir    bool      // viewers get what it sends
	Since    time.Time // that is so
	Lock     remux.Lock
	Alone    bool // another stood by beside it, and is gone
}

// Contributors are those who publish a stream now, in the order of the qualities; of one
// quality, who came first.
func (g *Gate) Contributors(stream packager.StreamName) []Contributor {
	g.mu.Lock()
	all := slices.Clone(g.publishers[stream])
	out := make([]Contributor, 0, len(all))
	slices.SortStableFunc(all, func(a, b *publisher) int { return cmp.Compare(a.from.Order, b.from.Order) })
	for _, s := range all {
		out = append(out, Contributor{
			Label: s.from.Label, Pushed: s.name.String(), Remote: s.remote, Software: s.software, Began: s.since, Alone: g.alone(s),
		})
	}
	g.mu.Unlock()
	for i, s := range all {
		out[i].OnAir, out[i].Since = s.contribution.Airing()
		if l := s.lock.Load(); l != nil {
			out[i].Lock = *l
		}
	}
	return out
}

var (
	// ErrNobody means that nobody pushes a name.
	ErrNobody = errors.New("nobody publishes that name")

	errNoBackup = errors.New("nobody stands by")
)

// Switch lets the publisher that stands by for a name go on air, at its next keyframe.
func (g *Gate) Switch(stream packager.StreamName, pushed string) error {
	found := false
	for _, s := range g.crew(stream) {
		if s.name.String() != pushed {
			continue
		}
		found = true
		if on, _ := s.contribution.Airing(); !on {
			return s.contribution.TakeOver()
		}
	}
	if !found {
		return ErrNobody
	}
	return errNoBackup
}
