package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

const pressK = `(document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', bubbles: true })), null)`

// TestPageWill is about who wants what on the player page: a browser that stops
// the picture is not a viewer who does, and a viewer who went back stays there.
func TestPageWill(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for a minute")
	}
	const stream = "live/will"
	s := startServer(t)
	s.pushClipLoop(t, clip360(t), stream)
	awaitPlayable(t, s, stream)
	time.Sleep(14 * time.Second) // until there is something to go back to
	for _, kind := range []string{"hls", "dash"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			b := browse(t)
			now := func() look { return eval[look](t, b, lookAtVideo) }
			button := func() string {
				return eval[string](t, b, `(() => { const b = document.getElementById('card-button'); return b.offsetParent && !b.hidden ? b.textContent : ''; })()`)
			}
			b.open(t, s.url(stream+"/#"+kind))
			b.awaitMoving(t, 2)

			from := now() // back
			eval[any](t, b, `(e2e.video.currentTime -= 8, null)`)
			time.Sleep(5 * time.Second)
			to := now()
			if back := from.Time - from.At - (to.Time - to.At); back < 7 || back > 9.5 {
				t.Errorf("a viewer who went back 8 s is %.1f s back after 5 s", back)
			}
			eval[any](t, b, `(document.getElementById('golive').click(), null)`)
			time.Sleep(3 * time.Second)
			to = now()
			if back := from.Time - from.At - (to.Time - to.At); back > 2 {
				t.Errorf("a viewer who went live is %.1f s back", back)
			}

			from = now() // pause, and go on
			eval[any](t, b, pressK)
			time.Sleep(8 * time.Second)
			if v := now(); !v.Paused || button() != "" {
				t.Errorf("the viewer paused it: paused %v, button %q", v.Paused, button())
			}
			eval[any](t, b, pressK)
			time.Sleep(3 * time.Second)
			to = now()
			if back := from.Time - from.At - (to.Time - to.At); to.Paused || back < 7 || back > 10 {
				t.Errorf("a viewer who rested for 8 s is %.1f s back", back)
			}
			eval[any](t, b, `(document.getElementById('golive').click(), null)`)
			time.Sleep(2 * time.Second)

			// The browser pauses it: once it is put on again, then there is a button.
			eval[any](t, b, `(e2e.video.pause(), null)`)
			eventually(t, 3*time.Second, "it plays again by itself", func() error {
				if now().Paused {
					return errors.New("it is paused")
				}
				return nil
			})
			eval[any](t, b, `(e2e.video.pause(), null)`)
			eventually(t, 3*time.Second, "there is a button", func() error {
				if button() != "Play" {
					return fmt.Errorf("button %q, paused %v", button(), now().Paused)
				}
				return nil
			})
			eval[any](t, b, `(document.getElementById('card-button').click(), null)`)
			eventually(t, 5*time.Second, "it plays", func() error {
				if v := now(); v.Paused || button() != "" {
					return fmt.Errorf("button %q, paused %v", button(), v.Paused)
				}
				return nil
			})

			// A picture that stands still and jumps makes no progress.
			eval[any](t, b, `(e2e.video.playbackRate = 0, e2e.jumping = setInterval(() => {
				e2e.video.playbackRate = 0;
				e2e.video.currentTime += 0.1;
			}, 1500), null)`)
			eventually(t, 35*time.Second, "the page notices", func() error {
				if stats := eval[pageStats](t, b, "({...sluice.stats(), stalls: sluice.stalls, errors: sluice.errors})"); stats.State == "live" {
					return fmt.Errorf("%+v", stats)
				}
				return nil
			})
			eval[any](t, b, `(clearInterval(e2e.jumping), null)`)
		})
	}
}
