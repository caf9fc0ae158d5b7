package gate

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/packager"
)

// F33: of many who wait for the turn of one name, one gets it.
func TestF33OneTurnForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, began := newGate(), atomic.Int64{}
		until := time.Now().Add(2 * time.Minute)
		for range 16 {
			go func() {
				for time.Now().Before(until) {
					sink, err := g.ask(newPeer())
					time.Sleep(time.Millisecond)
					if err == nil {
						began.Add(1)
						sink.Close(nil)
					}
				}
			}()
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := began.Load(); n > 20+24+1 || n < 40 {
			t.Errorf("%d publications in two minutes", n)
		}
	})
}

// F33: publications of one address have the rate that its connections have, by
// whatever names; of a network that is exempt, those of one connection.
func TestF33AddressRate(t *testing.T) {
	exempt := address.Networks{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		name string
		from func(i int) string
		most int // in a second
	}{
		{"one address", func(i int) string { return fmt.Sprintf("192.0.2.1:%d", 1000+i) }, 31 + 50},
		{"one network of IPv6", func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i) }, 31 + 50},
		{"many addresses", func(i int) string { return fmt.Sprintf("192.0.2.%d:1", i%250) }, 1000},
		{"many connections of an exempt one", func(i int) string { return fmt.Sprintf("10.0.0.1:%d", 1000+i) }, 1000},
		{"one connection of it", func(i int) string { return "10.0.0.1:1000" }, 31 + 50},
	} {
		var g Gate
		g.LimitAddresses(Rate{Burst: 20, Refill: time.Second / 10}, exempt)
		now, n := time.Now(), 0
		for i := range 1000 {
			if g.turns.visit(netip.MustParseAddrPort(test.from(i)), now) <= LongestTurn {
				n++
			}
			now = now.Add(time.Millisecond)
		}
		if n > test.most || n < test.most-5 {
			t.Errorf("%s: %d of 1000 may publish within a second, or wait for it, not %d", test.name, n, test.most)
		}
	}
}

// What is known of names and addresses is bounded.
func TestTurnsAreBounded(t *testing.T) {
	turns := turns{perAddress: []Rate{{20, time.Second}}, exempt: address.Networks{}}
	now := time.Now()
	for i := range 3 * maxTurns {
		turns.visit(netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1}), 1), now)
		name, err := packager.ParseStreamName("live", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		turns.begin(name, now)
	}
	if len(turns.names) > maxTurns || len(turns.homes) > maxTurns {
		t.Errorf("%d names and %d addresses are known", len(turns.names), len(turns.homes))
	}
}
