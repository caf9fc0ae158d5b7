package e2e

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// latencyNow is how far the picture is behind the clock of this machine, which
// is the server's too. Media times are wall clock times; hls.js has a timeline
// of its own and tells the date.
const latencyNow = `(() => {
	const video = window.sluice ? sluice.video : document.getElementById('video');
	const date = window.sluice?.player?.playingDate;
	return Date.now() / 1000 - (date ? date.getTime() / 1000 : video.currentTime);
})()`

// TestLowLatency holds each player near live for a minute, one at a time.
func TestLowLatency(t *testing.T) {
	if os.Getenv("E2E_LATENCY") == "" {
		t.Skip("E2E_LATENCY is not set: this takes minutes, and a machine that does nothing else (make latency)")
	}
	const (
		stream = "live/low"
		settle = 40 * time.Second
		during = 60 * time.Second
		joined = 12 * time.Second // a stream that is on air: at its very beginning, players are nearer than they should be
	)
	shaka := shakaPage(t)
	for _, tt := range []struct {
		name   string
		parts  string
		limit  float64                         // s behind live
		near   string                          // what Shaka is told
		clip   func(testing.TB) string         // that of keyframes 2 s apart
		age    time.Duration                   // of the stream when the page is opened
		behind func(testing.TB, string) string // starts a cache in front of the address and returns its own
	}{
		{name: "HLSjs/0.5s", parts: "500ms", limit: 2},
		{name: "DASHjs/0.5s", parts: "500ms", limit: 2},
		{name: "Shaka/0.5s", parts: "500ms", limit: 2, near: "0.5"},
		{name: "HLSjs/Varnish", parts: "500ms", limit: 2, behind: startVarnish},
		{name: "DASHjs/Varnish", parts: "500ms", limit: 2, behind: startVarnish},
		{name: "Shaka/Varnish", parts: "500ms", limit: 2, near: "0.5", behind: startVarnish, age: joined},
		// Where segments can't be foreseen, DASH players are a segment farther behind.
		{name: "HLSjs/Cuts", parts: "500ms", limit: 2, clip: clipCuts, age: joined},
		{name: "DASHjs/Cuts", parts: "500ms", limit: 7, clip: clipCuts, age: joined},
		{name: "HLSjs/0.2s", parts: "200ms", limit: 1},
		{name: "DASHjs/0.2s", parts: "200ms", limit: 1},
		{name: "Shaka/0.2s", parts: "200ms", limit: 1, near: "0.1"},
		{name: "Shaka/0.2sJoined", parts: "200ms", limit: 1, near: "0.1", age: joined},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, limit := startServer(t, "-window-part-duration", tt.parts), tt.limit
			base := s.url("")
			if tt.behind != nil {
				base = "http://" + tt.behind(t, s.http) + "/"
			}
			player, _, _ := strings.Cut(tt.name, "/")
			url := map[string]string{
				"HLSjs":  base + stream + "/#hls",
				"DASHjs": base + stream + "/#dash",
				"Shaka":  shaka + "/?near=" + tt.near + "#" + base + stream + "/index.mpd",
			}[player]
			b := browse(t)
			clip := clip360
			if tt.clip != nil {
				clip = tt.clip
			}
			s.pushClipLoop(t, clip(t), stream)
			awaitPlayable(t, s, stream)
			time.Sleep(tt.age)
			b.open(t, url)
			eventually(t, 25*time.Second, "the picture moves", func() error {
				if !slices.ContainsFunc(eval[[]mediaEvent](t, b, "e2e.events"), func(e mediaEvent) bool { return e.Type == "playing" }) {
					return errors.New("no playing event")
				}
				return nil
			})
			began := time.Now()
			for eval[float64](t, b, latencyNow) > limit {
				if time.Since(began) > settle {
					t.Fatalf("%.2f s behind live after %v", eval[float64](t, b, latencyNow), settle)
				}
				time.Sleep(250 * time.Millisecond)
			}
			t.Logf("within %.0f s of live after %v", limit, time.Since(began).Round(100*time.Millisecond))
			from := eval[sample](t, b, "e2e.sample()")
			var all []float64
			for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(time.Second) {
				all = append(all, eval[float64](t, b, latencyNow))
			}
			b.screenshot(t, "low-latency")
			slices.Sort(all)
			t.Logf("%.2f s behind live at least, %.2f s in the middle, %.2f s at most, in %v", all[0], all[len(all)/2], all[len(all)-1], during)
			if all[len(all)-1] > limit {
				t.Errorf("%.2f s behind live", all[len(all)-1])
			}
			for _, e := range eval[[]mediaEvent](t, b, "e2e.events") {
				if e.At > from.At && slices.Contains([]string{"waiting", "stalled", "error", "ended", "emptied"}, e.Type) {
					t.Errorf("%s %.1f s after the start", e.Type, e.At-from.At)
				}
			}
			for _, f := range b.found() {
				t.Error(f)
			}
		})
	}
}
