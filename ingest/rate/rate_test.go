package rate

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	l := Limit{PerSecond: 10, Burst: 20}
	var b Bucket
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	take := func(after time.Duration, n int) (taken int) {
		for range n {
			if b.Take(l, 1, start.Add(after)) {
				taken++
			}
		}
		return taken
	}
	for _, step := range []struct {
		after    time.Duration
		n, taken int
	}{
		{0, 100, 20},
		{0, 100, 0}, // who is refused loses nothing by it …
		{time.Second, 100, 10},
		{time.Second + 250*time.Millisecond, 100, 2},
		{0, 100, 0}, // … and nobody wins by a clock that is set back
		{time.Second, 100, 10},
		{time.Hour, 100, 20},
	} {
		if got := take(step.after, step.n); got != step.taken {
			t.Errorf("after %v: %d of %d, want %d", step.after, got, step.n, step.taken)
		}
	}
	if l.Refill() != 2*time.Second || (Limit{Burst: 1}).Refill() != 0 {
		t.Error(l.Refill())
	}
}
