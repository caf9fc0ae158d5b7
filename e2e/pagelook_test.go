package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// scheme lets the browser prefer light or dark pages.
func (b *browser) scheme(t testing.TB, name string) {
	t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// everySight takes screenshots of a page as it is, in each theme and size, and lets axe look
// for what keeps people from using it. On a phone it fits without scrolling, where that is said.
func (b *browser) everySight(t testing.TB, name string, fits bool) {
	t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(t, scheme)
		for _, size := range sizes {
			b.size(t, size.width, size.height)
			wide, high := eval[int64](t, b, "document.documentElement.scrollWidth"), eval[int64](t, b, "document.documentElement.scrollHeight")
			if wide > size.width || fits && high > size.height {
				t.Errorf("%s: %d by %d pixels on a screen of %d by %d", name, wide, high, size.width, size.height)
			}
			b.screenshot(t, fmt.Sprintf("%s-%s-%d", name, scheme, size.width))
			for _, f := range b.axe(t) {
				t.Errorf("%s, %s, %d wide: %s", name, scheme, size.width, f)
			}
		}
	}
	b.size(t, sizes[0].width, sizes[0].height)
}

// axe are the serious faults that axe-core finds in the page as it is.
func (b *browser) axe(t testing.TB) (faults []string) {
	t.Helper()
	const library = "../web/node_modules/axe-core/axe.min.js"
	text, err := os.ReadFile(library)
	if err != nil {
		t.Fatalf("%v: make web", err)
	}
	if !eval[bool](t, b, "!!window.axe") {
		eval[any](t, b, string(text)+"\nnull")
	}
	eval[any](t, b, `(window.axed = '', axe.run({ resultTypes: ['violations'] }).then((r) => { window.axed = JSON.stringify(r.violations.map((v) => ({
		id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => n.html.slice(0, 120) + ' ' + n.failureSummary),
	}))); }), null)`)
	var out string
	eventually(t, 20*time.Second, "axe is done", func() error {
		if out = eval[string](t, b, "window.axed"); out == "" {
			return fmt.Errorf("it isn't")
		}
		return nil
	})
	var found []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Impact == "serious" || f.Impact == "critical" {
			faults = append(faults, fmt.Sprintf("%s (%s): %s: %s", f.ID, f.Impact, f.Help, strings.Join(f.Nodes, " | ")))
		}
	}
	return faults
}

// press presses a key as a keyboard does.
func (b *browser) press(t testing.TB, key string) {
	t.Helper()
	text := ""
	if len(key) == 1 {
		text = key
	}
	code := map[string]int64{"Escape": 27}[key] // a dialog goes by it
	for _, p := range []input.DispatchKeyEventParams{
		{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: text, WindowsVirtualKeyCode: code},
		{Type: input.DispatchKeyEventTypeKeyUp, Key: key, WindowsVirtualKeyCode: code},
	} {
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
			t.Fatal(err)
		}
	}
}

// frame serves a page that shows another in a frame, on an origin of its own.
func frame(t testing.TB, code string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><html lang=en><link rel=icon href=data:,><title>A page of others</title><main><h1>Others</h1>%s</main>", code)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// inFrame evaluates an expression in the first frame of the page, by what is in its document.
func inFrame(t testing.TB, b *browser, expression string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	tree, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil || len(tree.FrameTree.ChildFrames) == 0 {
		t.Fatalf("the page has no frame: %v", err)
	}
	world, err := chromedp.Call(ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.ChildFrames[0].Frame.ID})
	if err != nil {
		t.Fatal(err)
	}
	r, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: "String(" + expression + ")", ContextID: world.ExecutionContextID})
	if err != nil || r.ExceptionDetails != nil {
		t.Fatalf("%s: %v %+v", expression, err, r.ExceptionDetails)
	}
	var text string
	if err := json.Unmarshal(r.Result.Value, &text); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return text
}

// TestPageUse uses the player page as a person does, by its keys and buttons, and as a part
// of somebody else's page, by the code that it offers.
func TestPageUse(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for some seconds")
	}
	t.Parallel()
	const stream = "live/use"
	s := startServer(t)
	s.pushClipLoop(t, clip360(t), stream)
	awaitPlayable(t, s, stream)
	b := browse(t)
	b.open(t, s.url(stream+"/?x=<img src=x onerror=document.title=1>#<b id=from-the-address>"))
	b.awaitMoving(t, 1)
	if eval[bool](t, b, "!!document.querySelector('#from-the-address, img')") {
		t.Error("what is in the address became a part of the page")
	}
	is := func(what, expression string) {
		t.Helper()
		eventually(t, 10*time.Second, what, func() error {
			if !eval[bool](t, b, expression) {
				return errors.New("it isn't so: " + expression)
			}
			return nil
		})
	}
	const el = "document.getElementById('%s')"
	b.press(t, " ")
	is("space pauses", "sluice.video.paused")
	b.press(t, "k")
	is("k plays", "!sluice.video.paused")
	b.press(t, "m")
	is("m turns the sound on", "!sluice.video.muted")
	b.press(t, "ArrowDown")
	is("the arrow makes it quieter", "sluice.video.volume < 1 && "+fmt.Sprintf(el, "toast")+".textContent === 'Volume 90 %'")
	b.press(t, "i")
	is("i shows statistics", fmt.Sprintf(el, "numbers")+".offsetParent !== null && /\\d s/.test("+fmt.Sprintf(el, "s-latency")+".textContent)")
	b.press(t, "i")
	is("i takes them away", fmt.Sprintf(el, "numbers")+".hidden")
	b.press(t, "?")
	is("? shows the keys", fmt.Sprintf(el, "help-dialog")+".open")
	b.press(t, "Escape")
	is("Escape closes them", "!"+fmt.Sprintf(el, "help-dialog")+".open")
	eval[any](t, b, "("+fmt.Sprintf(el, "gear")+".click(), null)")
	is("the button with the sliders opens the menus", fmt.Sprintf(el, "settings")+".offsetParent !== null && "+fmt.Sprintf(el, "kinds")+".value === 'hls'")
	b.press(t, "Escape")
	is("Escape closes them", fmt.Sprintf(el, "settings")+".hidden && document.activeElement.id === 'gear'")
	// Behind Escape: the browser takes that for itself for as long as it leaves full screen.
	b.press(t, "f")
	is("f is full screen", "document.fullscreenElement?.id === 'screen'")
	b.press(t, "f")
	is("f leaves it", "!document.fullscreenElement")
	b.size(t, 390, 844)
	if high := eval[int](t, b, "document.documentElement.scrollHeight"); high > 844 {
		t.Errorf("it is %d pixels high on a phone", high)
	}
	for _, f := range b.axe(t) {
		t.Error(f)
	}
	code := eval[string](t, b, fmt.Sprintf(el, "embed-code")+".textContent")
	for _, f := range b.found() {
		t.Error(f)
	}

	b.size(t, 800, 600)
	b.open(t, frame(t, code))
	eventually(t, 15*time.Second, "it plays in a frame, muted, by itself", func() error {
		const now = "[document.getElementById('stage').dataset.state, document.getElementById('video').muted, document.getElementById('video').currentTime > 0, innerWidth, document.documentElement.scrollHeight, document.documentElement.className]"
		if got := inFrame(t, b, now); got != "live,true,true,640,360,embed" {
			return errors.New(got)
		}
		return nil
	})
	b.screenshot(t, "embed")
	for _, f := range b.found() {
		t.Error(f)
	}
	b.open(t, frame(t, strings.Replace(code, "/embed", "/", 1)))
	eventually(t, 5*time.Second, "the page itself is in no frame", func() error {
		if found := b.found("ERR_BLOCKED_BY_RESPONSE"); len(found) != 1 || !strings.Contains(found[0], "frame-ancestors") || !strings.Contains(found[0], "'none'") {
			return fmt.Errorf("%q", found)
		}
		return nil
	})
}

// TestPageSights looks at all pages in all that can happen to them, in each theme and size,
// and lets axe look, too. The screenshots are for people.
func TestPageSights(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" {
		t.Skip("E2E_PLAYERS is not set: this takes minutes (make test-players)")
	}
	const stream = "live/sights"
	tags := clipTags(t, clip360(t))
	s := startServer(t)
	b := browse(t)
	click := func(id string) { t.Helper(); eval[any](t, b, "(document.getElementById('"+id+"').click(), null)") }
	says := func(patience time.Duration, words string) {
		t.Helper()
		eventually(t, patience, "the page says "+words, func() error {
			if got := eval[string](t, b, "document.getElementById('card').hidden ? '' : document.getElementById('card').innerText"); !strings.Contains(got, words) {
				return fmt.Errorf("it says %q", got)
			}
			return nil
		})
	}
	b.open(t, s.url(""))
	b.everySight(t, "landing", false)
	b.open(t, s.url(stream+"/"))
	b.awaitState(t, "waiting")
	says(time.Second, s.rtmpURL(stream))
	b.everySight(t, "waiting", true)
	b.open(t, s.url(stream+"/embed"))
	b.awaitState(t, "waiting")
	b.everySight(t, "embed-waiting", true)
	b.open(t, s.url(stream+"/"))
	b.awaitState(t, "waiting")

	w := &wild{t: t, url: s.rtmpURL(stream)}
	w.connect()
	var encoder sync.WaitGroup
	sends := make(chan struct{})
	encoder.Go(func() {
		for {
			select {
			case <-sends:
				return
			default:
				w.play(tags, 2*time.Second)
			}
		}
	})
	b.awaitState(t, "live")
	time.Sleep(4 * time.Second)
	b.everySight(t, "live", true)
	click("stats")
	time.Sleep(2 * time.Second)
	b.everySight(t, "statistics", true)
	click("stats")
	click("gear")
	b.everySight(t, "menus", true)
	click("gear")
	click("share")
	b.everySight(t, "share", true)
	b.press(t, "Escape")
	b.press(t, "?")
	b.everySight(t, "keys", true)
	b.press(t, "Escape")

	// The viewer's own network.
	offline := cdp.Command[map[string]any, cdp.Empty]{Method: "Network.emulateNetworkConditions"}
	network := func(off bool) {
		t.Helper()
		if _, err := chromedp.Call(b.ctx, offline, map[string]any{"offline": off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}); err != nil {
			t.Fatal(err)
		}
	}
	network(true)
	says(15*time.Second, "You are offline")
	b.everySight(t, "offline", true)
	network(false)
	b.awaitState(t, "live")

	// The encoder is away for longer than a picture may stand still, and comes back.
	close(sends)
	encoder.Wait()
	w.rtmp.Abort()
	lost := time.Now()
	b.awaitState(t, "away")
	t.Logf("the page says that the encoder is away %v after it was lost", time.Since(lost).Round(100*time.Millisecond))
	says(time.Second, "The encoder is away")
	b.everySight(t, "away", true)
	for time.Since(lost) < 22*time.Second {
		if got := eval[string](t, b, "sluice.stats().state"); got != "away" {
			t.Fatalf("%v after the encoder was lost the page is %s", time.Since(lost), got)
		}
		time.Sleep(250 * time.Millisecond)
	}
	eval[any](t, b, `(window.said = [], new MutationObserver(() => said.push(document.getElementById('toast').textContent)).observe(document.getElementById('toast'), { childList: true }), null)`)
	w.connect()
	back := time.Now()
	encoder.Go(func() { w.play(tags, 12*time.Second) })
	b.awaitState(t, "live")
	t.Logf("the page plays %v after the encoder is back", time.Since(back).Round(100*time.Millisecond))
	eventually(t, 5*time.Second, "it says so", func() error {
		if said := eval[[]string](t, b, "said"); !slices.Contains(said, "The encoder is back") {
			return fmt.Errorf("it said %q", said)
		}
		return nil
	})
	from := eval[sample](t, b, "e2e.sample()")
	eventually(t, 10*time.Second, "the picture moves", func() error {
		if now := eval[sample](t, b, "e2e.sample()"); now.Time < from.Time+2 {
			return fmt.Errorf("it was at %v, is at %v", from.Time, now.Time)
		}
		return nil
	})
	encoder.Wait()
	if err := w.rtmp.Close(); err != nil {
		t.Error(err)
	}
	b.awaitState(t, "ended")
	b.everySight(t, "ended", true)
	for _, f := range b.found("status of 404", "ERR_INTERNET_DISCONNECTED") {
		t.Error(f)
	}

	closed := startServer(t, "-watch-token-keys", tokenKey, "-publish-users", "anna=geheim")
	b.open(t, closed.url(stream+"/"))
	if text := eval[string](t, b, "document.body.innerText"); !strings.Contains(text, "not for everybody") || !strings.Contains(text, "needs a token") {
		t.Errorf("who has no token reads %q", text)
	}
	b.everySight(t, "no-token", true)
	b.open(t, closed.url(""))
	b.everySight(t, "landing-key", false)
}

// TestPageAway: with each player the page says that the encoder is away, for longer than a
// picture may stand still, and plays on when it is back.
func TestPageAway(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" {
		t.Skip("E2E_PLAYERS is not set: this takes a minute (make test-players)")
	}
	for _, kind := range []string{"hls", "dash", "native"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			const stream = "live/away"
			tags := clipTags(t, clip360(t))
			s := startServer(t)
			b := browse(t)
			b.open(t, s.url(stream+"/#"+kind))
			w := &wild{t: t, url: s.rtmpURL(stream)}
			w.connect()
			w.play(tags, 12*time.Second)
			w.rtmp.Abort()
			lost := time.Now()
			b.awaitState(t, "away")
			t.Logf("the page says that the encoder is away %v after it was lost", time.Since(lost).Round(100*time.Millisecond))
			time.Sleep(time.Until(lost.Add(22 * time.Second)))
			w.connect()
			back := time.Now()
			var encoder sync.WaitGroup
			encoder.Go(func() { w.play(tags, 12*time.Second) })
			from := eval[sample](t, b, "e2e.sample()")
			eventually(t, 11*time.Second, "the picture moves", func() error {
				if now := eval[sample](t, b, "e2e.sample()"); now.Paused || math.Abs(now.Time-from.Time) < 1 {
					return fmt.Errorf("it was at %v, is at %v", from.Time, now.Time)
				}
				return nil
			})
			t.Logf("the picture moves %v after the encoder is back", time.Since(back).Round(100*time.Millisecond))
			b.awaitState(t, "live")
			encoder.Wait()
		})
	}
}
