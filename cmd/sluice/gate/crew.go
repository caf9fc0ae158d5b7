package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rs/zerolog"

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

// crew are those who publish a stream, who came first first.
func (g *Gate) crew(stream packager.StreamName) []*publisher {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.publishers[stream])
}

// named are those of them who push one name.
func (g *Gate) named(p pushed) []*publisher {
	return slices.DeleteFunc(g.crew(p.stream), func(s *publisher) bool { return s.name != p.name })
}

// begin notes who publishes from now on, and leads what it sends to its contribution.
func (g *Gate) begin(s *publisher, to *packager.Contribution, log zerolog.Logger) {
	s.contribution, s.since, s.over = to, g.Now(), make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.publishers == nil {
		g.publishers = make(map[packager.StreamName][]*publisher)
	}
	crew := g.publishers[s.stream]
	g.connect(s, log)
	g.count++
	s.number = g.count
	for _, o := range crew {
		if o.name == s.name {
			o.backed, s.backed = true, true
		}
	}
	g.publishers[s.stream] = append(crew, s)
	g.route(s.stream)
}

// end takes note that a publisher has gone.
func (g *Gate) end(s *publisher, cause error) {
	switch e := (*metrics.Exceeded)(nil); {
	case errors.As(cause, &e) && e.Limit == metrics.Memory:
		g.Catalog.Forget(s.stream) // others need the room now
	case errors.Is(cause, errEnded):
		g.Catalog.Finish(s.stream)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if rest := slices.DeleteFunc(slices.Clone(g.publishers[s.stream]), func(o *publisher) bool { return o == s }); len(rest) > 0 {
		g.publishers[s.stream] = rest
		g.route(s.stream)
	} else {
		delete(g.publishers, s.stream)
	}
	close(s.over)
}

// alone tells whether another stood by beside a publisher, and is gone. g.mu is held.
func (g *Gate) alone(s *publisher) bool {
	return s.backed && !slices.ContainsFunc(g.publishers[s.stream], func(o *publisher) bool { return o != s && o.name == s.name })
}

// busy is the answer to one for whom a name has no place.
func (g *Gate) busy(p pushed) error {
	named := g.named(p)
	if !g.Backup || len(named) == 0 {
		return ingest.ErrBusy
	}
	var who []string
	for _, s := range named {
		does := "stands by"
		if on, _ := s.contribution.Airing(); on {
			does = "is on air"
		}
		who = append(who, fmt.Sprintf("%v %s", s.remote.Addr(), does))
	}
	return fmt.Errorf("%w: %s", ingest.ErrBusy, strings.Join(who, ", "))
}
