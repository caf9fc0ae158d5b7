package e2e

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// wild is an encoder that things happen to.
type wild struct {
	t         testing.TB
	url       string
	rtmp      *client.Publisher
	timestamp uint32    // of the next clip's beginning
	began     time.Time // when timestamp 0 was
}

func (w *wild) connect() {
	w.t.Helper()
	rtmp, err := client.Dial(w.t.Context(), w.url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rtmp, w.timestamp, w.began = rtmp, 0, time.Now()
}

// play sends the beginning of a clip at its own pace.
func (w *wild) play(tags []flv.Tag, length time.Duration) {
	w.t.Helper()
	for _, tag := range tags {
		if tag.Timestamp >= uint32(length.Milliseconds()) {
			break
		}
		tag.Timestamp += w.timestamp
		time.Sleep(time.Until(w.began.Add(time.Duration(tag.Timestamp) * time.Millisecond)))
		if err := w.rtmp.WriteTag(tag); err != nil {
			w.t.Errorf("publishing: %v", err)
			return
		}
	}
	w.timestamp += uint32(length.Milliseconds())
}

// jump sets the encoder's clock.
func (w *wild) jump(by time.Duration) {
	w.timestamp += uint32(by.Milliseconds())
	w.began = w.began.Add(-by)
}

// TestF3F8F29InBrowsers lets players watch a stream whose encoder loses its connection
// for three seconds, changes its picture from 720p to 1080p and sets its clock
// by ten seconds: they play on by themselves.
func TestF3F8F29InBrowsers(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for a minute")
	}
	const (
		stream = "live/wild"
		target = 2.0 // s, of the clips
	)
	small, large := clipTags(t, clip720(t)), clipTags(t, clip1080(t))
	// As in TestPlays, several browsers share a small machine: parts are long.
	s := startServer(t, "-window-part-duration", "1s")
	w := &wild{t: t, url: s.rtmpURL(stream)}

	names, paths := []string{"HLSjs", "DASHjs"}, []string{"#hls", "#dash"}
	browsers := make([]*browser, len(names))
	for i := range names {
		browsers[i] = browse(t)
	}
	w.connect()
	var encoder sync.WaitGroup
	play := func(tags []flv.Tag, length time.Duration) { encoder.Go(func() { w.play(tags, length) }) }

	play(small, 12*time.Second)
	awaitPlayable(t, s, stream)
	for i, b := range browsers {
		b.open(t, s.url(stream+"/"+paths[i]))
		eventually(t, 20*time.Second, names[i]+" plays", func() error {
			if !slices.ContainsFunc(eval[[]mediaEvent](t, b, "e2e.events"), func(e mediaEvent) bool { return e.Type == "playing" }) {
				return errors.New("no playing event")
			}
			return nil
		})
	}
	encoder.Wait()

	// during watches the pages until the media is sent and some time is over,
	// and returns how long the pictures stood still.
	during := func(what string, fault float64) {
		t.Helper()
		longest := make([]float64, len(browsers))
		last := make([]sample, len(browsers))
		moved := make([]time.Time, len(browsers))
		for i, b := range browsers {
			last[i], moved[i] = eval[sample](t, b, "e2e.sample()"), time.Now()
		}
		done := make(chan bool)
		go func() { encoder.Wait(); close(done) }()
		for waiting := true; waiting; {
			select {
			case <-done:
				waiting = false
			case <-time.After(100 * time.Millisecond):
			}
			for i, b := range browsers {
				now := eval[sample](t, b, "e2e.sample()")
				if now.Time != last[i].Time {
					longest[i] = max(longest[i], time.Since(moved[i]).Seconds())
					moved[i] = time.Now()
				}
				last[i] = now
			}
		}
		for i, b := range browsers {
			longest[i] = max(longest[i], time.Since(moved[i]).Seconds())
			t.Logf("%s: %s stood still for %.1f s, %d×%d now", what, names[i], longest[i], last[i].Width, last[i].Height)
			if longest[i] > fault+2*target {
				t.Errorf("%s: %s stood still for %.1f s", what, names[i], longest[i])
			}
			stats := eval[pageStats](t, b, "({...sluice.stats(), stalls: sluice.stalls, errors: sluice.errors})")
			if stats.State != "live" || slices.ContainsFunc(stats.Errors, func(e pageError) bool { return e.Fatal }) {
				t.Errorf("%s: the page with %s says: %+v", what, names[i], stats)
			}
			b.screenshot(t, names[i]+" "+what)
		}
	}

	w.rtmp.Abort()
	encoder.Go(func() {
		time.Sleep(3 * time.Second)
		w.connect()
		w.play(small, 14*time.Second)
	})
	during("connection lost for 3 s", 3)

	play(large, 14*time.Second)
	during("720p to 1080p", 0)
	for i, b := range browsers {
		if got := eval[sample](t, b, "e2e.sample()"); got.Width != 1920 {
			t.Errorf("%s shows %d×%d", names[i], got.Width, got.Height)
		}
	}

	w.jump(10 * time.Second)
	play(large, 14*time.Second)
	during("timestamps jump 10 s", 0)

	for i, b := range browsers { // what is played is live, by the clock of the server
		eventually(t, 5*time.Second, names[i]+" is live", func() error {
			if behind := eval[float64](t, b, latencyNow); math.Abs(behind) > 10 {
				return fmt.Errorf("%.1f s behind live", behind)
			}
			return nil
		})
		if n := eval[int](t, b, "performance.getEntriesByType('navigation').length"); n != 1 {
			t.Error(errors.New("the page was loaded again"))
		}
	}
	if err := w.rtmp.Close(); err != nil {
		t.Error(err)
	}
}

// TestF14Crash kills the server under its viewers while ffmpeg publishes again
// and again: they play on by themselves, and no number goes back.
func TestF14Crash(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for half a minute")
	}
	t.Parallel()
	const stream = "live/crash"
	clip := clip360(t)
	s := startServer(t, "-window-part-duration", "1s")
	names, paths := []string{"HLSjs", "DASHjs"}, []string{"#hls", "#dash"}
	browsers := make([]*browser, len(names))
	for i := range names {
		browsers[i] = browse(t)
	}
	var encoder sync.WaitGroup
	stop := make(chan bool)
	encoder.Go(func() { // as a person's loop in a shell
		for {
			c := s.pushClipLoop(t, clip, stream)
			select {
			case <-c.exited:
			case <-stop:
				return
			}
			select {
			case <-time.After(time.Second):
			case <-stop:
				return
			}
		}
	})
	defer encoder.Wait()
	defer close(stop)
	awaitPlayable(t, s, stream)
	// Whether a picture moves, and near live: what was buffered before the crash
	// is soon too far behind.
	playing := func() {
		t.Helper()
		began := time.Now()
		for i, b := range browsers {
			eventually(t, time.Minute, names[i]+" plays", func() error {
				from := eval[*sample](t, b, "e2e.sample()")
				time.Sleep(500 * time.Millisecond)
				to := eval[*sample](t, b, "e2e.sample()")
				if from == nil || to == nil || to.Time <= from.Time {
					return errors.New("the picture doesn't move")
				}
				if behind := eval[float64](t, b, latencyNow); behind > 7 || behind < 0 {
					return fmt.Errorf("%.1f s behind live", behind)
				}
				return nil
			})
			t.Logf("%s plays after %v", names[i], time.Since(began).Round(100*time.Millisecond))
		}
	}
	for i, b := range browsers {
		b.open(t, s.url(stream+"/"+paths[i]))
	}
	playing()
	time.Sleep(5 * time.Second)
	before, _, err := s.lists(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	s.crash(t)
	awaitPlayable(t, s, stream)
	after, _, err := s.lists(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range after {
		if p.Sequence < before[i].Next() || p.Discontinuity < before[i].Discontinuity {
			t.Errorf("numbers go back from %d and %d to %d and %d", before[i].Next(), before[i].Discontinuity, p.Sequence, p.Discontinuity)
		}
	}
	time.Sleep(7 * time.Second)
	playing()
	for i, b := range browsers {
		from := eval[sample](t, b, "e2e.sample()")
		time.Sleep(5 * time.Second)
		to := eval[sample](t, b, "e2e.sample()")
		if to.Time-from.Time < 3 {
			t.Errorf("%s played %.1f s in 5 s", names[i], to.Time-from.Time)
		}
		if n := eval[int](t, b, "performance.getEntriesByType('navigation').length"); n != 1 {
			t.Errorf("%s: the page was loaded %d times", names[i], n)
		}
		b.screenshot(t, names[i])
	}
}
