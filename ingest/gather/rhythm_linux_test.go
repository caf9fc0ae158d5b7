package gather

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Pauses save wake-ups where much comes, and cost next to none where little does.
func TestRhythm(t *testing.T) {
	for _, c := range []struct {
		streams, rate int     // messages a second of each
		most          float64 // rounds, of as many arrivals
	}{
		{1, 30, 1.02}, // video alone
		{1, 75, 1.08},
		{2, 75, 1.08},
		{4, 75, 0.95},
		{20, 75, 0.2},
		{100, 75, 0.04},
		{1, 3000, 0.25}, // one connection, in many packets
	} {
		rounds, arrivals := play(t, c.streams*c.rate, 60*time.Second)
		if share := float64(rounds) / float64(arrivals); share > c.most {
			t.Errorf("%d × %d a second: %.2f rounds for each arrival, want at most %.2f", c.streams, c.rate, share, c.most)
		}
	}
}

// play lets arrivals come at random, and counts the rounds that find them.
func play(t *testing.T, rate int, span time.Duration) (rounds, arrivals int) {
	random := rand.New(rand.NewPCG(1, uint64(rate)))
	var all []time.Duration
	for range int(float64(rate) * span.Seconds()) {
		all = append(all, time.Duration(random.Int64N(int64(span))))
	}
	slices.Sort(all)
	arrivals = len(all)
	var r rhythm
	for now := time.Duration(0); len(all) > 0; rounds++ {
		if r.pausing {
			now += pause
		} else {
			now = max(now, all[0])
		}
		if now-all[0] > pause {
			t.Fatalf("an arrival waited for %v", now-all[0])
		}
		n := 0
		for n < len(all) && all[n] <= now {
			n++
		}
		all = all[n:]
		r.heard(n, time.Unix(0, int64(now)))
	}
	return rounds, arrivals
}
