package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// stillness is how long a picture stood still that should have moved.
type stillness struct {
	All     float64 `json:"all"`     // s since the first "playing"
	Longest float64 `json:"longest"` // s
	Now     float64 `json:"now"`     // s, of the stillness that lasts
	Jumps   []struct {
		At float64 `json:"at"` // s of the page's life
		By float64 `json:"by"` // s
	} `json:"jumps"`
}

// TestVideoJS lets video.js play the same list straight and through caches. It
// asks for one URL twice where a part completes its segment: a browser that
// answers the second time from its own cache lets it stand still for ten seconds.
func TestVideoJS(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" {
		t.Skip("E2E_PLAYERS is not set: this takes a minute of players (make test-players)")
	}
	const (
		stream = "live/vhs"
		during = 20 * time.Second
		most   = 5.0 // s that it may stand still in that time, its start included
	)
	s := startServer(t)
	s.pushClipLoop(t, clip360(t), stream)
	awaitPlayable(t, s, stream)
	time.Sleep(8 * time.Second) // it joins a stream that is on air
	page := playersPage(t)
	b := browse(t)
	for _, tt := range []struct{ name, addr string }{
		{"straight", s.http},
		{"Varnish", startVarnish(t, s.http)},
		{"nginx", startNginx(t, s.http)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b.open(t, "about:blank")
			b.open(t, fmt.Sprintf("%s/?videojs#http://%s/%s/index.m3u8", page, tt.addr, stream))
			b.awaitMoving(t, 0)
			time.Sleep(during)
			still := eval[stillness](t, b, "e2e.still")
			t.Logf("stood still for %.1f s of %v, %.1f s at once; jumps: %v", still.All, during, still.Longest, still.Jumps)
			if still.All > most {
				t.Errorf("stood still for %.1f s of %v", still.All, during)
			}
			for _, e := range eval[[]pageError](t, b, "window.errors") {
				t.Errorf("%+v", e)
			}
		})
	}
}
