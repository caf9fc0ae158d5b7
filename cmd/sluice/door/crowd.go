package door

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/ingest/rate"
)

// crowd knows how many connections each address has, and how fast they came.
// Who has none and has not come lately is forgotten.
type crowd struct {
	limits Limits
	now    func() time.Time

	mu     sync.Mutex
	guests map[netip.Prefix]*guest
	swept  time.Time
}

// guest is one address.
type guest struct {
	key  netip.Prefix
	open int
	came rate.Bucket // new connections
	last time.Time   // that one came, or wanted to
}

// maxStrangers bounds the addresses without a connection that are remembered.
const maxStrangers = 1 << 16

// ticket is a connection's place. Its fields are under the crowd's mu.
type ticket struct {
	guest *guest // nil where no limit counts it
	gone  bool   // the connection is closed
}

// count counts a connection from a.
func (c *crowd) count(a netip.Addr, t *ticket) (metrics.Limit, bool) {
	if c.limits.PerAddress == 0 && c.limits.Rate == 0 || !a.IsValid() || c.limits.Exempt.Contain(a) {
		return "", true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.gone { // while a proxy's header was read
		return "", true
	}
	now := c.now()
	g := c.guest(a, now)
	if c.limits.PerAddress > 0 && g.open >= c.limits.PerAddress {
		return metrics.ConnectionsPerAddress, false
	}
	g.last = now
	if c.limits.Rate > 0 && !g.came.Take(c.rate(), 1, now) {
		return metrics.ConnectionRate, false
	}
	g.open++
	t.guest = g
	return "", true
}

func (c *crowd) rate() rate.Limit {
	return rate.Limit{PerSecond: c.limits.Rate, Burst: float64(c.limits.Burst)}
}

func (c *crowd) guest(a netip.Addr, now time.Time) *guest {
	key := address.Home(a)
	if g, ok := c.guests[key]; ok {
		return g
	}
	if len(c.guests) >= maxStrangers {
		c.forget(now)
	}
	g := &guest{key: key, last: now}
	c.guests[key] = g
	return g
}

// forget drops who has no connection: those who have been away for long, and if
// that is nobody, all of them. A flood from that many addresses is not to be
// held by counting for each.
func (c *crowd) forget(now time.Time) {
	refill := time.Second
	if c.limits.Rate > 0 {
		refill = c.rate().Refill()
	}
	if now.Sub(c.swept) < refill {
		refill = 0
	}
	c.swept = now
	for key, g := range c.guests {
		if g.open == 0 && now.Sub(g.last) >= refill {
			delete(c.guests, key)
		}
	}
}

func (c *crowd) leave(t *ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := t.guest
	t.guest, t.gone = nil, true
	if g == nil {
		return
	}
	g.open--
	if g.open == 0 && c.limits.Rate == 0 {
		delete(c.guests, g.key)
	}
}
