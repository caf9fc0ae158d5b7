package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A viewer is a browser with the player page.
type viewer interface {
	open(t testing.TB, url string)
	text(t testing.TB, expression string) string // of an expression that is a string
}

func (b *browser) text(t testing.TB, expression string) string {
	t.Helper()
	return eval[string](t, b, expression)
}

func (w *webkit) open(t testing.TB, url string) {
	t.Helper()
	if err := w.call("POST", "/url", map[string]any{"url": url}, nil); err != nil {
		t.Fatal(err)
	}
}

func (w *webkit) text(t testing.TB, expression string) (text string) {
	t.Helper()
	w.eval(t, expression, &text)
	return text
}

// onPage is what the player page shows, as JSON.
const onPage = `JSON.stringify(window.sluice ? {
	state: sluice.stats().state, time: sluice.stats().currentTime, width: sluice.video.videoWidth,
	card: document.getElementById('card').hidden ? '' : document.getElementById('card-text').textContent,
	notice: document.getElementById('left-out').hidden ? '' : document.getElementById('left-out').textContent,
	errors: sluice.errors.filter((e) => e.fatal).map((e) => e.message) } : {})`

type pageView struct {
	State  string   `json:"state"`
	Time   float64  `json:"time"`
	Width  int      `json:"width"`
	Card   string   `json:"card"`
	Notice string   `json:"notice"`
	Errors []string `json:"errors"`
}

// watches tells how much of a stream a viewer sees on the player page: "yes",
// "picture" where the page says that the sound can't be decoded, "no" where it says
// so of the stream, or what is wrong.
func watches(t testing.TB, v viewer, url string) string {
	t.Helper()
	v.open(t, "about:blank")
	v.open(t, url)
	var first, now pageView
	for begin := time.Now(); time.Since(begin) < 25*time.Second; time.Sleep(200 * time.Millisecond) {
		now = pageView{}
		if err := json.Unmarshal([]byte(v.text(t, onPage)), &now); err != nil {
			t.Fatal(err)
		}
		switch {
		case now.State == "error" && strings.Contains(now.Card, "which this browser can't decode: "):
			return "no"
		case now.State != "live" || now.Time == 0:
			first = pageView{}
			continue
		case first.State == "" || now.Time < first.Time:
			first = now
			continue
		case now.Time < first.Time+2 || now.Width == 0:
			continue
		case strings.Contains(now.Notice, "The sound of this stream is "):
			return "picture"
		case strings.Contains(now.Notice, " is left out: "):
			return now.Notice
		}
		return "yes"
	}
	return fmt.Sprintf("it doesn't play: %+v", now)
}

// onAir publishes recordings again and again until the test ends.
func onAir(t testing.TB, s *server, names ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	for _, name := range names {
		sendPaced(ctx, t, s.rtmpURL("codec/"+name), loop(t, recorded(t, name)).tags(15*time.Minute))
	}
	t.Cleanup(cancel)
	for _, name := range names {
		awaitPlayable(t, s, "codec/"+name)
	}
}

// TestCodecPlayers: Chromium plays AV1, VP9, Opus and FLAC by three libraries.
func TestCodecPlayers(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for half a minute")
	}
	t.Parallel()
	s := startServer(t)
	names := []string{"av1-opus", "vp9-opus", "h264-flac"}
	b := browse(t)
	onAir(t, s, names...)
	shaka := shakaPage(t)
	for _, name := range names {
		stream := "codec/" + name
		for _, player := range []string{"hls", "dash"} {
			if got := watches(t, b, s.url(stream+"/#"+player)); got != "yes" {
				t.Errorf("%s by %s: %s", name, player, got)
			}
			if now := eval[sample](t, b, "e2e.sample()"); now.Audio == 0 {
				t.Errorf("%s by %s: no sound is decoded", name, player)
			}
		}
		b.open(t, "about:blank")
		b.open(t, shaka+"/#"+s.url(stream+"/index.mpd"))
		b.awaitWidth(t, 320, 2)
		if errs := eval[[]string](t, b, "window.errors"); len(errs) > 0 {
			t.Errorf("%s by Shaka: %v", name, errs)
		}
		if now := eval[sample](t, b, "e2e.sample()"); now.Audio == 0 {
			t.Errorf("%s by Shaka: no sound is decoded", name)
		}
	}
	for _, f := range b.found() {
		t.Error(f)
	}
}

// TestCodecTable plays each recording by each library in each browser. The table in
// docs/codecs.md is what it writes.
func TestCodecTable(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" && os.Getenv("E2E_ENCODERS") == "" {
		t.Skip("neither E2E_PLAYERS nor E2E_ENCODERS is set: this takes minutes (make test-encoders)")
	}
	s := startServer(t)
	var names []string
	for _, c := range replayed {
		names = append(names, c.name)
	}
	onAir(t, s, names...)
	must := map[string]string{ // what other tests and docs/codecs.md rely on
		"Firefox hevc-aac hls": "yes", "Firefox hevc-aac dash": "yes", "Chromium hevc-aac hls": "no", "Chromium h264-ac3 hls": "picture",
	}
	table := make(map[string]string)
	browsers := []string{"Chromium", "Firefox", "WebKitGTK"}
	for _, browser := range browsers {
		t.Run(browser, func(t *testing.T) {
			var v viewer
			switch browser {
			case "Chromium":
				v = browse(t)
			case "Firefox":
				v = browseFirefox(t)
			default:
				v = browseWebKit(t)
			}
			for _, name := range names {
				for _, player := range []string{"hls", "dash"} {
					cell := browser + " " + name + " " + player
					table[cell] = watches(t, v, s.url("codec/"+name+"/#"+player))
					t.Logf("%s: %s", cell, table[cell])
					if want := must[cell]; want != "" && table[cell] != want {
						t.Errorf("%s: %s, not %s", cell, table[cell], want)
					}
				}
			}
		})
	}
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", name)
		for _, browser := range browsers {
			for _, player := range []string{"hls", "dash"} {
				fmt.Fprintf(&b, " %s |", table[browser+" "+name+" "+player])
			}
		}
		b.WriteString("\n")
	}
	keep(t, "table.md", []byte(b.String()))
	t.Logf("\n%s", b.String())
}
