package relay

import (
	"testing"
	"time"
)

// Waits double up to the longest, a fifth more or less, and begin anew behind what went well.
func TestBackoff(t *testing.T) {
	var b backoff
	for i, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
		want *= time.Second
		if d := b.wait(time.Second); d < want*8/10 || d > want*12/10 {
			t.Errorf("wait %d is %v, about %v is right", i, d, want)
		}
	}
	if d := b.wait(steady); d > shortestWait*12/10 {
		t.Errorf("behind what went well: %v", d)
	}
}
