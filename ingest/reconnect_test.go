package ingest

import (
	"testing"

	"github.com/sluice-live/sluice/ingest/amf"
)

// Only who says to understand it is asked to reconnect.
func TestReconnectIsUnderstood(t *testing.T) {
	for caps, want := range map[float64]bool{0: false, 1: true, 2: false, 3: true, 14: false, 15: true} {
		c := &conn{moves: abilities(amf.Object{{Name: "capsEx", Value: caps}}).Reconnect}
		if got := c.Reconnect("rtmp://elsewhere/live"); got != want || (c.move.Load() != nil) != want {
			t.Errorf("capsEx %v: asked %v, want %v", caps, got, want)
		}
	}
	if abilities(nil).Reconnect {
		t.Error("who says nothing understands nothing")
	}
}
