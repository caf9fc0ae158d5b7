package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestPlays lets four players in real browsers play one stream for half a
// minute, as a viewer would have it: at the pace of the clock, without a stall,
// and without a word in the console.
func TestPlays(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for half a minute")
	}
	const stream = "live/cam1"
	clip := clip360(t)
	// No other test runs beside this one: four browsers fill a small machine. So
	// they begin one after another, when there is a whole hold-back to play:
	// Chromium's native HLS gives up where it gets too late to its first segments.
	// Long parts keep the players three seconds behind, so that the machine may
	// stumble; make latency plays near live, one browser at a time.
	s := startServer(t, "-window-part-duration", "1s")
	var starting sync.Mutex
	shaka := shakaPage(t)

	for _, p := range []struct{ name, url string }{
		{"HLSjs", s.url(stream + "/#hls")},
		{"DASHjs", s.url(stream + "/#dash")},
		{"Native", s.url(stream + "/#native")},
		{"Shaka", shaka + "/#" + s.url(stream+"/index.mpd")},
	} {
		t.Run(p.name, func(t *testing.T) {
			// One after another, and before the stream: starting a browser
			// takes all processors for a moment.
			b := browse(t)
			t.Parallel() // from here on when all are there and the stream is
			plays(t, b, p.url, &starting)
		})
	}
	s.pushClipLoop(t, clip, stream)
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	t.Cleanup(func() { w.stop(t) })
	eventually(t, 20*time.Second, "five segments", func() error { return w.has(5) })
}

// playedBadly tells in words where a page did not play as it should between its samples, and the
// least that it had in its buffer, s.
func playedBadly(t testing.TB, samples []sample, events []mediaEvent) (said string, low float64) {
	const (
		pace      = 1.0   // s that currentTime may differ from the clock
		mostRate  = 1.105 // players catch up with live
		mostDrops = 0.05
	)
	t.Helper()
	first, last := samples[0], samples[len(samples)-1]
	passed, advanced := last.At-first.At, last.Time-first.Time
	asked := first.Rate * passed // what the player wants: it may run a little faster to catch up with live
	for i, e := range events {
		if e.Type == "ratechange" && e.At > first.At && e.At < last.At {
			asked += (e.Rate - rateBefore(events[:i], first)) * (last.At - e.At)
		}
	}
	frames, dropped := last.Total-first.Total, last.Dropped-first.Dropped
	low = math.Inf(1)
	for _, s := range samples[1:] {
		low = min(low, s.Ahead)
	}
	t.Logf("currentTime advances %.2f s in %.2f s, %.2f s at the player's rate; %d of %d frames dropped; %.1f s buffered at least; %dx%d", advanced, passed, asked, dropped, frames, low, last.Width, last.Height)
	if math.Abs(advanced-asked) > pace || asked > passed*mostRate || asked < passed/mostRate {
		said = fmt.Sprintf("currentTime advances %.2f s in %.2f s, in which the player wants %.2f s; ", advanced, passed, asked)
	}
	if frames < int(passed*frameRate*0.9) || float64(dropped) > mostDrops*float64(frames) {
		said += fmt.Sprintf("%d frames came, %d of them were dropped", frames, dropped)
	}
	return said, low
}

// watchPage takes a sample of a page each second, behind the first one.
func watchPage(t testing.TB, b *browser, first sample, during time.Duration) []sample {
	t.Helper()
	samples := []sample{first}
	end := time.NewTimer(during)
	defer end.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			samples = append(samples, eval[sample](t, b, "e2e.sample()"))
		case <-end.C:
			return append(samples, eval[sample](t, b, "e2e.sample()"))
		}
	}
}

// plays opens a page and watches its video.
func plays(t *testing.T, b *browser, url string, starting *sync.Mutex) {
	const (
		during    = 30 * time.Second
		startTime = 25 * time.Second
		startSpan = 0.5 // s of picture that still are the start
	)
	var first sample
	starting.Lock()
	unlock := sync.OnceFunc(starting.Unlock)
	defer unlock()
	b.open(t, url)
	begin := time.Now()
	eventually(t, startTime, "the picture moves", func() error {
		i := slices.IndexFunc(eval[[]mediaEvent](t, b, "e2e.events"), func(e mediaEvent) bool { return e.Type == "playing" })
		if i < 0 {
			return fmt.Errorf("no playing event: %v", b.found())
		}
		at := eval[[]mediaEvent](t, b, "e2e.events")[i].Time
		if first = eval[sample](t, b, "e2e.sample()"); first.Time < at+startSpan {
			return fmt.Errorf("currentTime was %v when it began to play, is %v", at, first.Time)
		}
		return nil
	})
	unlock()
	t.Logf("the picture moves %v after the page was loaded", time.Since(begin).Round(time.Millisecond))

	// A page that had seconds in its buffer, and yet lost frames or was slow, was on a machine that has
	// more to do than it can: it is watched again.
	var samples []sample
	var events []mediaEvent
	for watched := 1; ; watched++ {
		samples = watchPage(t, b, first, during)
		events = eval[[]mediaEvent](t, b, "e2e.events")
		said, low := playedBadly(t, samples, events)
		if said == "" {
			break
		}
		if low < 1 || watched == 3 {
			t.Error(said)
			break
		}
		t.Log("this machine has more to do than it can: " + said)
		first = eval[sample](t, b, "e2e.sample()")
	}
	first = samples[0]
	last := samples[len(samples)-1]
	b.screenshot(t, "playing")
	trace, _ := json.MarshalIndent(map[string]any{"events": events, "samples": samples}, "", " ")
	keep(t, "trace.json", trace)
	if last.Width != 640 || last.Height != 360 || last.Audio <= first.Audio {
		t.Errorf("the picture is %dx%d, %d bytes of audio were decoded", last.Width, last.Height, last.Audio-first.Audio)
	}
	for _, e := range events {
		switch e.Type {
		case "waiting", "stalled", "ended", "error", "pause", "emptied", "seeking":
			if e.At > first.At {
				t.Errorf("%s at %.2f s of the page's life, currentTime %.2f", e.Type, e.At, e.Time)
			}
		}
	}
	for _, f := range b.found() {
		t.Error(f)
	}
	if n := b.cookies(t); n > 0 {
		t.Errorf("%d cookies", n)
	}
	if stats := eval[*pageStats](t, b, "window.sluice ? {...sluice.stats(), stalls: sluice.stalls, errors: sluice.errors} : null"); stats != nil {
		t.Logf("the page says: %+v", *stats)
		if stats.State != "live" || stats.Stalls > 0 || len(stats.Errors) > 0 {
			t.Errorf("the page says: %+v", *stats)
		}
	} else if errs := eval[[]string](t, b, "window.errors"); len(errs) > 0 {
		t.Errorf("Shaka: %v", errs)
	}
}

// rateBefore is the playback rate that was set last, or that of the sample.
func rateBefore(events []mediaEvent, s sample) float64 {
	for _, e := range slices.Backward(events) {
		if e.At <= s.At {
			break
		}
		if e.Type == "ratechange" {
			return e.Rate
		}
	}
	return s.Rate
}

// pageStats is what the player page knows.
type pageStats struct {
	State       string      `json:"state"`
	CurrentTime float64     `json:"currentTime"`
	Latency     *float64    `json:"latency"`
	Buffered    float64     `json:"buffered"`
	Stalls      int         `json:"stalls"`
	Errors      []pageError `json:"errors"`
}

type pageError struct {
	At      time.Time `json:"at"`
	Fatal   bool      `json:"fatal"`
	Message string    `json:"message"`
}

func (p pageStats) String() string { // for %+v of the pointer inside
	latency := "unknown"
	if p.Latency != nil {
		latency = fmt.Sprintf("%.2f s", *p.Latency)
	}
	return fmt.Sprintf("state %s, latency %s, %.1f s buffered, %d stalls, errors: %v", p.State, latency, p.Buffered, p.Stalls, p.Errors)
}

// shakaPage serves a page with Shaka Player on another origin than the media.
func shakaPage(t testing.TB) string {
	t.Helper()
	library := filepath.Join("..", "web", "node_modules", "shaka-player", "dist", "shaka-player.compiled.js")
	if _, err := os.Stat(library); err != nil {
		t.Fatalf("%v: run `make web` (needs Node)", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join("testdata", "shaka.html"))
	})
	mux.HandleFunc("GET /shaka-player.compiled.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, library)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
