package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// A viewing is a player with a list: ours on our page, or somebody's own with
// what docs/players.md tells him (recipe), or as it comes.
type viewing struct {
	name, player, list string
	told               bool // has faults that docs/players.md tells, and a remedy: in the table, and not judged
}

var viewings = []viewing{
	{name: "page, hls.js", player: "#hls", list: ""},
	{name: "page, dash.js", player: "#dash", list: ""},
	{name: "hls.js", player: "?hls&recipe", list: "index.m3u8"},
	{name: "dash.js", player: "?dash&recipe", list: "index.mpd"},
	{name: "Shaka, DASH", player: "?shaka&recipe", list: "index.mpd"},
	{name: "Shaka, HLS", player: "?shaka", list: "index.m3u8", told: true},
	{name: "Shaka, HLS, whole segments", player: "?shaka&whole", list: "index.m3u8"},
	{name: "video.js, HLS", player: "?videojs&recipe", list: "index.m3u8", told: true},
	{name: "video.js, HLS, whole segments", player: "?videojs&whole", list: "index.m3u8"},
	{name: "video.js, DASH", player: "?videojs&recipe", list: "index.mpd"},
	{name: "native", player: "?native", list: "index.m3u8", told: true},
}

func (v viewing) url(s *server, page, stream string) string {
	if v.list == "" {
		return s.url(stream + "/" + v.player)
	}
	return page + "/" + v.player + "#" + s.url(stream+"/"+v.list)
}

// takesPart tells which viewings take part: E2E_PLAYERS may name some.
func takesPart(v viewing) bool {
	names := os.Getenv("E2E_PLAYERS")
	return names == "1" || slices.Contains(strings.Split(names, ";"), v.name)
}

// spell is what a player did during one step.
type spell struct {
	Step    string  `json:"step"`
	Still   float64 `json:"still"`   // s that the picture stood still, in all
	Longest float64 `json:"longest"` // s at once
	Jumped  float64 `json:"jumped"`  // s, the sum of jumps that nobody asked for
	Behind  float64 `json:"behind"`  // s behind where it was in the steady step
	Ended   bool    `json:"ended"`
	Width   int     `json:"width"`
}

const lookAtVideo = `(() => {
	const v = e2e.video;
	const s = e2e.still;
	return { all: s.all, longest: s.longest, jumps: s.jumps.map((j) => j.by), ended: e2e.events.some(({ type }) => type === 'ended'), width: v.videoWidth,
		at: performance.now() / 1000, time: v.currentTime, paused: v.paused };
})()`

type look struct {
	All     float64   `json:"all"`
	Longest float64   `json:"longest"`
	Jumps   []float64 `json:"jumps"`
	Ended   bool      `json:"ended"`
	Width   int       `json:"width"`
	At      float64   `json:"at"`
	Time    float64   `json:"time"`
	Paused  bool      `json:"paused"`
}

// TestPlayers takes each player with each list through what happens to viewers:
// it plays, they go back in the window, pause, and go live; the encoder comes
// back, changes its picture, and ends in the middle of a GOP. The table in
// docs/players.md is what it writes.
func TestPlayers(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" {
		t.Skip("E2E_PLAYERS is not set: this takes minutes (make test-players)")
	}
	page := playersPage(t)
	small, large := clipTags(t, clip360(t)), clipTags(t, clip720(t))
	for _, v := range viewings {
		if !takesPart(v) {
			continue
		}
		t.Run(strings.ReplaceAll(v.name, " ", ""), func(t *testing.T) {
			t.Parallel()
			journey(t, v, page, small, large)
		})
	}
}

// again loads a page once more where Chromium's own HLS has given up, three times at most, and tells
// whether it has given up for good. It does so where it has loaded all that a list has before it plays, and
// the next list has nothing new: on streams younger than some ten seconds nearly always.
func (b *browser) again(t testing.TB, url string) (gaveUp bool) {
	t.Helper()
	for try := 0; ; try++ {
		time.Sleep(2 * time.Second)
		if gaveUp = eval[bool](t, b, "!!(window.e2e && e2e.video && e2e.video.error)"); !gaveUp || try == 3 {
			return gaveUp
		}
		b.open(t, url)
	}
}

func journey(t *testing.T, v viewing, page string, small, large []flv.Tag) {
	const stream = "live/journey"
	s := startServer(t)
	w := &wild{t: t, url: s.rtmpURL(stream)}
	w.connect()
	var encoder sync.WaitGroup
	encoder.Go(func() { w.play(small, 62*time.Second) })
	awaitPlayable(t, s, stream)
	b := browse(t)
	age := 5 * time.Second
	if v.name == "native" || strings.HasPrefix(v.name, "video.js") { // in a younger one they are nearer to live than they will be
		age = 12 * time.Second
	}
	time.Sleep(age)
	b.open(t, v.url(s, page, stream))
	if v.name == "native" && b.again(t, v.url(s, page, stream)) {
		t.Fatal("it gave up four times")
	}
	b.awaitMoving(t, 0)
	time.Sleep(3 * time.Second) // until it is where it wants to be

	var spells []spell
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	steady := math.NaN()
	step := func(name string, during func()) spell {
		t.Helper()
		from := eval[look](t, b, "e2e.still.longest = e2e.still.now = 0, "+lookAtVideo)
		during()
		to := eval[look](t, b, lookAtVideo)
		sp := spell{Step: name, Still: to.All - from.All, Longest: to.Longest, Ended: to.Ended, Width: to.Width}
		for _, by := range to.Jumps[min(len(from.Jumps), len(to.Jumps)):] {
			sp.Jumped += by
		}
		if math.IsNaN(steady) {
			steady = to.Time - to.At
		}
		sp.Behind = steady - (to.Time - to.At)
		t.Logf("%-14s %-8s still %4.1f s (%.1f s at once), jumped %+.1f s, %.1f s farther behind, ended %v, %d wide", v.name, name, sp.Still, sp.Longest, sp.Jumped, sp.Behind, sp.Ended, sp.Width)
		spells = append(spells, sp)
		return sp
	}
	do := func(script string) { eval[any](t, b, "("+script+", null)") }

	step("steady", func() { time.Sleep(12 * time.Second) })
	back := step("back", func() { do("e2e.video.currentTime -= 6"); time.Sleep(6 * time.Second) })
	if back.Behind < 4 || back.Behind > 8 {
		fault("a viewer who went back 6 s is %.1f s back 6 s later", back.Behind)
	}
	live := `window.sluice ? document.getElementById('golive').click() : goLive()`
	goes := step("go live", func() { do(live); time.Sleep(4 * time.Second) })
	if math.Abs(goes.Behind) > 2 {
		fault("a viewer who went live is %.1f s farther behind than he was", goes.Behind)
	}
	rests := step("pause", func() {
		pause, play := "e2e.video.pause()", "e2e.video.play()"
		if v.list == "" {
			pause, play = pressK, pressK
		}
		do(pause)
		time.Sleep(8 * time.Second)
		do(play)
		time.Sleep(3 * time.Second)
	})
	if rests.Behind < 6 || rests.Behind > 12 {
		fault("a viewer who rested for 8 s is %.1f s farther behind", rests.Behind)
	}
	step("go live", func() { do(live); time.Sleep(4 * time.Second) })
	step("restart", func() {
		encoder.Wait()
		w.rtmp.Abort()
		time.Sleep(3 * time.Second)
		w.connect()
		w.play(small, 14*time.Second)
	})
	size := step("new size", func() { w.play(large, 11100*time.Millisecond) })
	if size.Width != 1280 {
		fault("the picture is %d wide", size.Width)
	}
	step("end", func() {
		if err := w.rtmp.Close(); err != nil {
			t.Error(err)
		}
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !eval[look](t, b, lookAtVideo).Ended; {
			time.Sleep(250 * time.Millisecond)
		}
	})
	if onPage := v.list == "" && eval[string](t, b, "sluice.stats().state") == "ended"; !spells[len(spells)-1].Ended && !onPage {
		fault("the player doesn't come to the end: %s", ranges(t, b))
	}
	for _, e := range eval[[]pageError](t, b, "window.errors ?? sluice.errors") {
		if e.Fatal {
			fault("%+v", e)
		}
	}
	text, _ := json.MarshalIndent(spells, "", " ")
	keep(t, "spells.json", text)
	b.screenshot(t, "end")
	t.Log(row(v, spells))
	if v.told {
		for _, f := range faults {
			t.Logf("not judged: %s", f)
		}
		return
	}
	for _, f := range faults {
		t.Error(f)
	}
}

// row is a line of the table in docs/players.md: the seconds that the picture
// stood still, step by step.
func row(v viewing, spells []spell) string {
	cells := []string{v.name}
	for _, sp := range spells {
		switch {
		case sp.Step == "end" && sp.Ended:
			cells = append(cells, "yes")
		case sp.Step == "end":
			cells = append(cells, "no")
		case sp.Step == "back" || sp.Step == "pause":
			cells = append(cells, fmt.Sprintf("%.1f (%.1f)", sp.Still, sp.Behind))
		default:
			cells = append(cells, fmt.Sprintf("%.1f", sp.Still))
		}
	}
	return "| " + strings.Join(cells, " | ") + " |"
}
