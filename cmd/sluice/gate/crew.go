package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// places is how many may push one name at a time.
func (g *Gate) places() int {
	if g.Backup {
		return 2
	}
	return 1
}

// named are those who push a name, who came first first.
func (g *Gate) named(name packager.StreamName) []*publisher {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.publishers[name])
}

// begin notes who pushes a name from now on.
func (g *Gate) begin(s *publisher) {
	s.over = make(chan struct{})
	s.end = func(cause error) {
		if e := (*metrics.Exceeded)(nil); errors.As(cause, &e) && e.Limit == metrics.Memory {
			g.Catalog.Forget(s.stream) // others need the room now
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if rest := slices.DeleteFunc(g.publishers[s.name], func(o *publisher) bool { return o == s }); len(rest) > 0 {
			g.publishers[s.name] = rest
		} else {
			delete(g.publishers, s.name)
		}
		close(s.over)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.publishers == nil {
		g.publishers = make(map[packager.StreamName][]*publisher)
	}
	g.count++
	s.number = g.count
	named := append(g.publishers[s.name], s)
	g.publishers[s.name] = named
	for _, o := range named {
		o.backed = o.backed || len(named) > 1
	}
}

// busy is the answer to one for whom a name has no place.
func (g *Gate) busy(name packager.StreamName) error {
	named := g.named(name)
	if !g.Backup || len(named) == 0 {
		return ingest.ErrBusy
	}
	var who []string
	for _, s := range named {
		who = append(who, s.remote.Addr().String())
	}
	return fmt.Errorf("%w and one that stands by: %s", ingest.ErrBusy, strings.Join(who, " and "))
}
