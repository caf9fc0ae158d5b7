package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// cannot lets the browser say in all its pages that it can't decode a codec.
func (b *browser) cannot(t testing.TB, codec string) {
	t.Helper()
	script := fmt.Sprintf(`(() => {
		const without = (object, name, no) => {
			const was = object[name];
			object[name] = function (what) { return JSON.stringify(what).includes(%q) ? no : was.call(this, what); };
		};
		without(MediaSource, 'isTypeSupported', false);
		without(HTMLMediaElement.prototype, 'canPlayType', '');
		if (navigator.mediaCapabilities) without(MediaCapabilities.prototype, 'decodingInfo', Promise.resolve({ supported: false, smooth: false, powerEfficient: false }));
	})()`, codec)
	if _, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		t.Fatal(err)
	}
}

// What the page has on the stage, and above it.
const (
	cardText   = `document.getElementById('card').hidden ? '' : document.getElementById('card-text').textContent`
	noticeText = `document.getElementById('left-out').hidden ? '' : document.getElementById('left-out').textContent`
)

// TestPageDecodes: where the browser can't decode a stream, the page says so in
// words; where it is the sound alone, it plays the picture.
func TestPageDecodes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	t.Parallel()
	s := startServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	sendPaced(ctx, t, s.rtmpURL("live/decode"), loop(t, recorded(t, "h264-aac")).tags(time.Hour))
	awaitPlayable(t, s, "live/decode")
	b := browse(t)

	t.Run("picture", func(t *testing.T) {
		b := b.tab(t)
		b.cannot(t, "avc1")
		for _, player := range []string{"hls", "dash"} {
			b.open(t, "about:blank")
			b.open(t, s.url("live/decode/#"+player))
			b.awaitState(t, "error")
			const want = "This stream is H.264, which this browser can't decode: use Chrome, Firefox or Safari."
			if got := eval[string](t, b, cardText); got != want {
				t.Errorf("%s: the page says %q", player, got)
			}
			if n := eval[int](t, b, "document.querySelectorAll('head > script[src*=dist]').length"); n > 0 {
				t.Errorf("%s: the library was asked", player)
			}
		}
		b.shoot(t, "picture")
		for _, f := range b.found() {
			t.Error(f)
		}
	})
	t.Run("sound", func(t *testing.T) {
		b := b.tab(t)
		b.cannot(t, "mp4a")
		for _, player := range []string{"hls", "dash", "native"} {
			b.open(t, "about:blank")
			b.open(t, s.url("live/decode/#"+player))
			b.awaitWidth(t, 320, 2)
			const want = "The sound of this stream is AAC, which this browser can't decode: use Chrome, Firefox or Safari."
			if got := eval[string](t, b, noticeText); got != want {
				t.Errorf("%s: the page says %q", player, got)
			}
			if now := eval[sample](t, b, "e2e.sample()"); now.Audio > 0 {
				t.Errorf("%s: %d bytes of audio were decoded", player, now.Audio)
			}
			for _, e := range eval[[]pageError](t, b, "sluice.errors") {
				if e.Fatal {
					t.Errorf("%s: %s", player, e.Message)
				}
			}
		}
		b.shoot(t, "sound")
		for _, f := range b.found() {
			t.Error(f)
		}
	})
}

// TestPageSounds: the page offers several sounds by name, and plays the one that is chosen.
func TestPageSounds(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	// By itself: dash.js has stood still once where twenty browsers played at once.
	s := startServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	sendPaced(ctx, t, s.rtmpURL("live/sounds"), loop(t, recorded(t, "two-by-two")).tags(time.Hour))
	awaitPlayable(t, s, "live/sounds")
	b := browse(t)
	for _, player := range []string{"hls", "dash"} {
		b.open(t, "about:blank")
		b.open(t, s.url("live/sounds/#"+player))
		b.awaitWidth(t, 320, 1)
		eval[any](t, b, "(document.getElementById('gear').click(), null)")
		const menu = `(() => { const m = document.getElementById('sounds'); return m.offsetParent ? Array.from(m.options, (o) => (o.selected ? '*' : '') + o.text).join('|') : ''; })()`
		var before string
		eventually(t, 5*time.Second, "the page offers two sounds", func() error {
			if before = eval[string](t, b, menu); strings.Count(before, "|") != 1 || !strings.HasPrefix(before, "*") {
				return fmt.Errorf("it offers %q", before)
			}
			return nil
		})
		eval[any](t, b, `(() => { const m = document.getElementById('sounds'); m.value = '1'; m.dispatchEvent(new Event('change')); })()`)
		eventually(t, 10*time.Second, "the second sound plays", func() error {
			if now := eval[string](t, b, menu); !strings.Contains(now, "|*") {
				return fmt.Errorf("%q", now)
			}
			return nil
		})
		b.awaitWidth(t, 320, 2)
		t.Logf("%s offers %s", player, before)
	}
	b.shoot(t, "sounds")
	for _, f := range b.found() {
		t.Error(f)
	}
}
