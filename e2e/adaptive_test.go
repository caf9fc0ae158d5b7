package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A chooser is a player with a list that lets its viewer choose among qualities: on our page
// by the menu, elsewhere by the player's own API.
type chooser struct {
	name, player, list string
	told               string // what of it isn't judged, as docs/players.md tells of it: "forced", "narrow", "wide", "lost"
}

var choosers = []chooser{
	{name: "page, hls.js", player: "#hls"},
	{name: "page, dash.js", player: "#dash"},
	{name: "hls.js", player: "?hls&recipe", list: "index.m3u8", told: "wide"},
	{name: "dash.js", player: "?dash&recipe", list: "index.mpd"},
	{name: "Shaka, DASH", player: "?shaka&recipe", list: "index.mpd", told: "forced, wide"},
	{name: "Shaka, HLS, whole segments", player: "?shaka&whole", list: "index.m3u8", told: "forced, wide, lost"},
	{name: "video.js, HLS, whole segments", player: "?videojs&whole", list: "index.m3u8", told: "forced, wide, lost"},
	{name: "video.js, DASH", player: "?videojs&recipe", list: "index.mpd", told: "forced, wide, lost, joins"},
}

func (c chooser) url(addr, page, stream string) string {
	if c.list == "" {
		return "http://" + addr + "/" + stream + "/" + c.player
	}
	return page + "/" + c.player + "#http://" + addr + "/" + stream + "/" + c.list
}

// see is a script by which a quality of that height is chosen, or with 0 what the player
// thinks best.
func (c chooser) see(height int) string {
	if c.list == "" {
		return fmt.Sprintf(`(() => {
			const menu = document.getElementById('pictures');
			menu.value = %d ? Array.from(menu.options).find((o) => o.text.startsWith('%dp')).value : '';
			menu.dispatchEvent(new Event('change'));
			return '';
		})()`, height, height)
	}
	if height == 0 {
		return "see(null), ''"
	}
	return fmt.Sprintf("see(%d), ''", height)
}

// try chooses a quality as see does, and returns why the player can't.
func (c chooser) try(t testing.TB, v viewer, height int) string {
	t.Helper()
	return v.text(t, "(() => { try { "+strings.TrimSuffix(c.see(height), ", ''")+" } catch (e) { return String(e) } return '' })()")
}

// seen is what was seen during some time.
type seen struct {
	Still   float64 `json:"still"`   // s that the time of the video stood still, in all
	Longest float64 `json:"longest"` // s at once
	Frozen  float64 `json:"frozen"`  // s that the same picture was seen, at once
	Jumped  float64 `json:"jumped"`  // s, all jumps
	widths  []int   // that were seen, one behind the other
	after   float64 // s until the width was the one that was waited for; NaN where it never was
	low     float64 // s of the least buffer
}

const lookAtPicture = `JSON.stringify((() => {
	const v = e2e.video, s = e2e.still;
	if (!v) return {};
	return { all: s.all, longest: s.longest, jumps: s.jumps.map((j) => Math.abs(j.by)), width: v.videoWidth, picture: e2e.picture(), ahead: e2e.sample().ahead };
})())`

type pictureLook struct {
	All     float64   `json:"all"`
	Longest float64   `json:"longest"`
	Jumps   []float64 `json:"jumps"`
	Width   int       `json:"width"`
	Picture int       `json:"picture"`
	Ahead   float64   `json:"ahead"`
}

func lookAt(t testing.TB, v viewer) (l pictureLook) {
	t.Helper()
	if err := json.Unmarshal([]byte(v.text(t, lookAtPicture)), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// watchFor looks at the picture for some time, until which it should be that wide.
func watchFor(t testing.TB, v viewer, d time.Duration, width int) seen {
	t.Helper()
	v.text(t, "(e2e.still.longest = e2e.still.now = 0, '')")
	from := lookAt(t, v)
	s := seen{after: math.NaN(), low: math.Inf(1)}
	begin := time.Now()
	picture, since := from.Picture, begin
	last := from
	for time.Since(begin) < d {
		time.Sleep(150 * time.Millisecond)
		last = lookAt(t, v)
		now := time.Now()
		if last.Picture != picture {
			picture, since = last.Picture, now
		}
		s.Frozen = max(s.Frozen, now.Sub(since).Seconds())
		s.low = min(s.low, last.Ahead)
		if n := len(s.widths); n == 0 || s.widths[n-1] != last.Width {
			s.widths = append(s.widths, last.Width)
		}
		switch {
		case last.Width != width:
			s.after = math.NaN()
		case math.IsNaN(s.after):
			s.after = now.Sub(begin).Seconds()
		}
	}
	s.Still, s.Longest = last.All-from.All, last.Longest
	for _, by := range last.Jumps[min(len(from.Jumps), len(last.Jumps)):] {
		s.Jumped += by
	}
	return s
}

// force lets a viewer choose one quality after the other, every so often, and tells how that
// went: how many came as asked, the slowest of them, and what was seen in all.
func force(t testing.TB, c chooser, v viewer, every time.Duration, order ...int) (came int, slowest float64, all seen) {
	t.Helper()
	for _, height := range order {
		v.text(t, c.see(height))
		s := watchFor(t, v, every, height*16/9)
		t.Logf("%s: %dp after %.1f s; still %.1f s, frozen %.1f s, least buffer %.1f s, widths %v", c.name, height, s.after, s.Still, s.Frozen, s.low, s.widths)
		if !math.IsNaN(s.after) {
			came++
			slowest = max(slowest, s.after)
		}
		all.Still += s.Still
		all.Longest = max(all.Longest, s.Longest)
		all.Frozen = max(all.Frozen, s.Frozen)
		all.Jumped += s.Jumped
	}
	return came, slowest, all
}

// awaitPlaying waits until a player plays.
func awaitPlaying(t testing.TB, v viewer) {
	t.Helper()
	eventually(t, 30*time.Second, "it plays", func() error {
		if got := v.text(t, "String(!!(window.e2e && e2e.video && e2e.video.videoWidth && !e2e.video.paused && e2e.video.currentTime > 0))"); got != "true" {
			return fmt.Errorf("it doesn't: %s", v.text(t, "JSON.stringify(window.errors ?? window.sluice?.errors ?? null)"))
		}
		return nil
	})
}

// fatal are the errors that a player has given up for.
func fatal(t testing.TB, v viewer) string {
	t.Helper()
	return v.text(t, "JSON.stringify((window.errors ?? sluice.errors).filter((e) => e.fatal))")
}

// publishQualities publishes the program until the test ends.
func publishQualities(t testing.TB, s *server, stream string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sendPaced(ctx, t, s.rtmpURL(stream), qualities(t).tags(time.Hour))
	t.Cleanup(cancel)
	awaitPlayable(t, s, stream)
}

// TestQualities: on our page a viewer changes the quality by the menu, with each library.
func TestQualities(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for ten seconds")
	}
	t.Parallel()
	const stream = "live/qualities"
	s := startServer(t)
	publishQualities(t, s, stream)
	for _, c := range choosers[:2] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := browse(t)
			b.open(t, c.url(s.http, "", stream))
			b.awaitState(t, "live")
			eventually(t, 5*time.Second, "the menu has all qualities", func() error {
				if got := b.text(t, "Array.from(document.getElementById('pictures').options, (o) => o.text.replace(/ .*/, '')).join()"); got != "Automatic,360p,180p,90p" {
					return fmt.Errorf("it has %s: %s", got, s.get(t, s.url(stream+"/index.m3u8")))
				}
				return nil
			})
			came, _, all := force(t, c, b, 4*time.Second, 360, 90)
			if came != 2 || all.Longest > 1 {
				t.Errorf("%d of 2 qualities came as asked; it stood still for %.1f s", came, all.Longest)
			}
			if f := fatal(t, b); f != "[]" {
				t.Error(f)
			}
			b.shoot(t, "menu")
			for _, f := range b.found() {
				t.Error(f)
			}
		})
	}
}

// TestAdaptive takes each player in each browser up and down through the qualities, by its
// API and by a way that gets narrow. The table in docs/players.md is what it writes.
// E2E_ABR may be a pattern of what takes part: "Chromium, hls.js, 500ms".
func TestAdaptive(t *testing.T) {
	if os.Getenv("E2E_ABR") == "" {
		t.Skip("E2E_ABR is not set: this takes minutes (make test-abr)")
	}
	some := regexp.MustCompile(strings.TrimPrefix(os.Getenv("E2E_ABR"), "1"))
	page := playersPage(t)
	var rows []string
	var mu sync.Mutex
	for _, parts := range []string{"500ms", "200ms"} {
		t.Run(parts, func(t *testing.T) {
			const stream = "live/qualities"
			s := startServer(t, "-window-part-duration", parts)
			publishQualities(t, s, stream)
			time.Sleep(8 * time.Second) // they join a stream that is on air
			for _, browser := range []string{"Chromium", "Firefox"} {
				for _, c := range choosers {
					id := browser + ", " + c.name + ", " + parts
					if !some.MatchString(id) {
						continue
					}
					t.Run(strings.ReplaceAll(id, " ", ""), func(t *testing.T) {
						t.Parallel()
						row := adapt(t, c, browser, page, s, stream)
						mu.Lock()
						defer mu.Unlock()
						rows = append(rows, "| "+c.name+" | "+browser+" | "+parts+row)
						t.Log(rows[len(rows)-1])
					})
				}
			}
		})
	}
	slices.Sort(rows)
	keep(t, "table.md", []byte(strings.Join(rows, "\n")+"\n"))
	t.Logf("\n%s", strings.Join(rows, "\n"))
}

// adapt forces a player up and down for a minute, then lets it choose, on a way that is
// wide, narrow, and wide again. It returns its row of the table.
func adapt(t *testing.T, c chooser, browser, page string, s *server, stream string) string {
	up, mid, down := heights[0], heights[1], heights[2]
	order := []int{down, up, mid, down, mid, up, down, up, down, mid, up, down}
	way := narrowWay(t, s.http)
	var v viewer
	if browser == "Firefox" {
		f := browseFirefox(t)
		f.open(t, c.url(way.addr, page, stream))
		f.run(t, watchScript)
		v = f
	} else {
		v = browse(t)
		v.open(t, c.url(way.addr, page, stream))
	}
	awaitPlaying(t, v)
	time.Sleep(4 * time.Second) // until it is where it wants to be
	came, slowest, all := force(t, c, v, 5*time.Second, order...)
	v.text(t, c.see(0))
	watchFor(t, v, 10*time.Second, up*16/9)
	way.limit(450e3)
	low := watchFor(t, v, 25*time.Second, 0)
	way.limit(0)
	high := watchFor(t, v, 40*time.Second, up*16/9)
	row := fmt.Sprintf(" | %d of %d | %.1f | %.1f | %.1f | %s | %.1f | %s | %.1f |",
		came, len(order), slowest, all.Still, all.Frozen, strings.Trim(fmt.Sprint(low.widths), "[]"), low.Still, strings.Trim(fmt.Sprint(high.widths), "[]"), high.Still)
	judged := func(what string) bool { return !strings.Contains(c.told, what) }
	// One may come a moment behind the 5 s: what is buffered, and the segment that is loaded, are played first.
	if judged("forced") && (came < len(order)-1 || all.Longest > 1 || all.Frozen > 1.5) {
		t.Errorf("forced: %d of %d came; stood still for %.1f s at once, one picture for %.1f s", came, len(order), all.Longest, all.Frozen)
	}
	end := func(s seen) int { return s.widths[len(s.widths)-1] }
	if judged("narrow") && (end(low) >= up*16/9 || low.Longest > 6) {
		t.Errorf("on a narrow way: widths %v, stood still for %.1f s at once", low.widths, low.Longest)
	}
	if judged("wide") && (end(high) <= slices.Min(low.widths) || high.Longest > 1) {
		t.Errorf("on a wide way again: widths %v, stood still for %.1f s", high.widths, high.Longest)
	}
	if f := fatal(t, v); f != "[]" {
		t.Error(f)
	}
	return row
}
