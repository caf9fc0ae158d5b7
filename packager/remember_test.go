package packager

import (
	"strconv"
	"testing"
	"time"
)

// What is known of forgotten streams is bounded, and goes when the clock has come
// up with it.
func TestForgottenNumbersAreBounded(t *testing.T) {
	now := numberEpoch.Add(1000 * time.Hour)
	c := NewCatalog(Settings{}, func() time.Time { return now })
	at := c.clock()
	for i := range 2 * mostAhead {
		c.remember(StreamName{"live", strconv.Itoa(i)}, numbers{at.media, at.discontinuity + 1 + int64(i%3)})
	}
	if n := len(c.ahead); n != mostAhead {
		t.Errorf("%d are remembered", n)
	}
	soon := 0
	for _, n := range c.ahead {
		if n.discontinuity == at.discontinuity+1 {
			soon++
		}
	}
	if soon > mostAhead/100 {
		t.Errorf("%d of them are those that the clock comes up with first", soon)
	}
	now = now.Add(3 * discontinuityTick)
	c.Expire()
	if n := len(c.ahead); n != 0 {
		t.Errorf("%d are remembered that the clock is ahead of", n)
	}
}
