package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestPage looks at the pages as a person does, on a desk and on a phone:
// nothing there yet, a stream, and its end.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser and waits for the end of a stream")
	}
	const stream = "live/page"
	clip := clip360(t)
	s := startServer(t)
	b := browse(t)

	b.look(t, "landing", s.url(""))

	b.open(t, s.url(stream+"/"))
	b.awaitState(t, "waiting")
	b.shoot(t, "waiting")

	pusher := s.pushClip(t, clip, stream, 12*time.Second)
	begin := time.Now()
	b.awaitState(t, "live")
	t.Logf("live %v after the encoder was started", time.Since(begin).Round(time.Millisecond))
	b.shoot(t, "live")

	pusher.wait(t, 30*time.Second)
	begin = time.Now()
	t.Logf("the viewer who was there first had %d stalls", eval[int](t, b, "sluice.stalls"))
	b.awaitState(t, "ended")
	t.Logf("ended %v after the encoder was, a player is seconds behind", time.Since(begin).Round(time.Millisecond))
	b.shoot(t, "ended")

	// And alive again, without a reload.
	s.pushClip(t, clip, stream, 0)
	b.awaitState(t, "live")
	moving := eval[sample](t, b, "e2e.sample()")
	eventually(t, 10*time.Second, "the second publication plays", func() error {
		if now := eval[sample](t, b, "e2e.sample()"); now.Time < moving.Time+1 {
			return fmt.Errorf("currentTime was %v, is %v", moving.Time, now.Time)
		}
		return nil
	})

	// While nobody publishes, the page asks, and the answer is 404.
	for _, f := range b.found("status of 404") {
		t.Error(f)
	}
	if n := b.cookies(t); n > 0 {
		t.Errorf("%d cookies", n)
	}
}

// sizes are those of a desk and of a phone.
var sizes = []struct{ width, height int64 }{{1280, 800}, {390, 844}}

// look opens a page in both sizes and checks that it fits.
func (b *browser) look(t testing.TB, name, url string) {
	t.Helper()
	b.open(t, url)
	b.shoot(t, name)
}

// shoot takes screenshots of the page as it is. Nothing may stick out at the side.
func (b *browser) shoot(t testing.TB, name string) {
	t.Helper()
	for _, size := range sizes {
		b.size(t, size.width, size.height)
		if wide := eval[int64](t, b, "document.documentElement.scrollWidth"); wide > size.width {
			t.Errorf("%s: %d pixels wide on a screen of %d", name, wide, size.width)
		}
		b.screenshot(t, fmt.Sprintf("%s-%dx%d", name, size.width, size.height))
	}
}

func (b *browser) awaitState(t testing.TB, want string) {
	t.Helper()
	eventually(t, 30*time.Second, "the page's state is "+want, func() error {
		if got := eval[string](t, b, "window.sluice ? sluice.stats().state : 'not loaded'"); got != want {
			return fmt.Errorf("it is %s: %v", got, b.found("status of 404"))
		}
		return nil
	})
}
