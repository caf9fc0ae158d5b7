package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// A rung is one of several outputs of an encoder, which has begun at some time.
type rung struct {
	url   string
	tags  []flv.Tag
	began time.Time // of the encoder: when its timestamps were 0
}

// send sends what the encoder has from now on, until it is broken off.
func (o rung) send(ctx context.Context, t testing.TB) *sync.WaitGroup {
	t.Helper()
	rtmp, err := client.Dial(ctx, o.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	from := uint32(time.Since(o.began).Milliseconds())
	var done sync.WaitGroup
	done.Go(func() {
		defer rtmp.Abort()
		begun := false
		for _, tag := range o.tags {
			for p, err := range flv.Packets(tag) {
				if err == nil && p.Type == flv.PacketFrame {
					begun = begun || p.Kind == flv.Video && p.Keyframe && tag.Timestamp >= from
					if !begun {
						tag.Body = nil
					}
				} else {
					tag.Timestamp = from
				}
			}
			if tag.Body == nil {
				continue
			}
			select {
			case <-time.After(time.Until(o.began.Add(time.Duration(tag.Timestamp) * time.Millisecond))):
			case <-ctx.Done():
				return
			}
			if err := rtmp.WriteTag(tag); err != nil {
				t.Errorf("%s: %v", o.url, err)
				return
			}
		}
	})
	return &done
}

// TestPushedQualities: one quality is pushed by itself, another joins late; then the first is
// cut off and comes back. Who was there plays on, and chooses among what there is.
func TestPushedQualities(t *testing.T) {
	if os.Getenv("E2E_ABR") == "" {
		t.Skip("E2E_ABR is not set: this takes minutes (make test-abr)")
	}
	needs(t, "ffmpeg")
	some := regexp.MustCompile(strings.TrimPrefix(os.Getenv("E2E_ABR"), "1"))
	players := playersPage(t)
	files, err := encodeQualities()
	if err != nil {
		t.Fatal(err)
	}
	for _, browser := range []string{"Chromium", "Firefox"} {
		for _, c := range choosers {
			id := browser + ", " + c.name
			if !some.MatchString(id) {
				continue
			}
			t.Run(strings.ReplaceAll(id, " ", ""), func(t *testing.T) {
				t.Parallel()
				const stream = "live/cam1"
				s := startServer(t, "-abr-suffixes", "_360p,_180p")
				began := time.Now()
				at := func(seconds int) { time.Sleep(time.Until(began.Add(time.Duration(seconds) * time.Second))) }
				var outputs [2]rung
				for i, suffix := range []string{"_360p", "_180p"} {
					outputs[i] = rung{s.rtmpURL(stream + suffix), loop(t, clipTags(t, files[i])).tags(3 * time.Minute), began}
				}
				all, stopAll := context.WithCancel(context.Background())
				t.Cleanup(stopAll)
				first, cut := context.WithCancel(all)
				sent := outputs[0].send(first, t)
				awaitPlayable(t, s, stream)
				old, late := watching(t, browser), watching(t, browser)
				at(10)
				old.begin(t, c.url(s.http, players, stream))
				at(20)
				second := outputs[1].send(all, t)
				manifests := s.poll(t, stream, 12*time.Second)
				joins := watchFor(t, old, 12*time.Second, 640)
				keep(t, "manifests.txt", <-manifests)
				if strings.Contains(c.told, "joins") { // it never begins while the Period before is listed, too
					at(32 + 18)
				}
				late.begin(t, c.url(s.http, players, stream))
				time.Sleep(2 * time.Second)
				keep(t, "joined.mpd", s.get(t, s.url(stream+"/index.mpd")))
				keep(t, "joined.m3u8", s.get(t, s.url(stream+"/index.m3u8")))
				try := func(v viewer, height int) seen {
					c.try(t, v, height)
					return watchFor(t, v, 6*time.Second, height*16/9)
				}
				old180, late180 := try(old, 180), try(late, 180)
				try(old, 0)
				try(late, 360)
				cut() // as kill -9 does
				sent.Wait()
				lost := watchFor(t, late, 8*time.Second, 320)
				again := outputs[0].send(all, t)
				back := watchFor(t, late, 8*time.Second, 640)
				late360 := try(late, 360)
				t.Logf("| %s | %s | %.1f | %v | %v | %.1f %v | %.1f | %v |", c.name, browser, joins.Longest, old180.widths, late180.widths, lost.Longest, lost.widths, back.Longest, late360.widths)
				t.Log(late.text(t, "JSON.stringify((window.errors ?? sluice.errors).slice(-12))"))
				stopAll()
				second.Wait()
				again.Wait()
				if strings.Contains(c.told, "lost") {
					return
				}
				if n := len(late180.widths); late180.widths[n-1] != 320 {
					t.Errorf("who came later can't choose what joined: %v", late180.widths)
				}
				if joins.Longest > 1 || lost.Longest > 2.5 || back.Longest > 1 {
					t.Errorf("stood still for %.1f s as one joined, %.1f s as one was lost, %.1f s as it came back", joins.Longest, lost.Longest, back.Longest)
				}
				if n := len(lost.widths); lost.widths[n-1] != 320 {
					t.Errorf("goes on with what is lost: %v", lost.widths)
				}
				for _, v := range []viewer{old, late} {
					if f := fatal(t, v); f != "[]" {
						t.Error(f)
					}
				}
			})
		}
	}
}

// poll takes the manifest again and again for some time, and gives all that differ.
func (s *server) poll(t testing.TB, stream string, d time.Duration) <-chan []byte {
	out := make(chan []byte, 1)
	go func() {
		var all, last []byte
		for begin := time.Now(); time.Since(begin) < d; time.Sleep(100 * time.Millisecond) {
			if b, err := s.body(t.Context(), s.url(stream+"/index.mpd")); err == nil && !bytes.Equal(b, last) {
				all, last = fmt.Appendf(all, "==> %v\n%s\n", time.Since(begin), b), b
			}
		}
		out <- all
	}()
	return out
}

// TestPageGoesOver: on our page who watches the only quality sees another one, which has joined since, soon after
// the first is cut off, though players of HLS load the multivariant playlist once.
func TestPageGoesOver(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for twenty seconds")
	}
	needs(t, "ffmpeg")
	files, err := encodeQualities()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range choosers[:2] {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const stream = "live/cam1"
			s := startServer(t, "-abr-suffixes", "_360p,_180p")
			began := time.Now()
			output := func(i int, suffix string) rung {
				return rung{s.rtmpURL(stream + suffix), loop(t, clipTags(t, files[i])).tags(5 * time.Minute), began}
			}
			first, cut := context.WithCancel(t.Context())
			defer cut()
			sent := output(0, "_360p").send(first, t)
			awaitPlayable(t, s, stream)
			b := browse(t)
			b.open(t, c.url(s.http, "", stream))
			b.awaitWidth(t, 640, 2)
			output(1, "_180p").send(t.Context(), t)
			eventually(t, 10*time.Second, "both are on air", func() error { return s.onAir(t, stream, 2) })
			time.Sleep(3 * time.Second) // it is a joiner, and no crew
			cut()
			sent.Wait()
			from := time.Now()
			eventually(t, 10*time.Second, "the other one is seen", func() error {
				if l := lookAt(t, b); l.Width != 320 {
					return fmt.Errorf("it is %d wide", l.Width)
				}
				return nil
			})
			t.Logf("seen after %v", time.Since(from).Round(100*time.Millisecond))
			b.awaitState(t, "live")
			was := lookAt(t, b)
			time.Sleep(time.Second)
			if is := lookAt(t, b); is.Picture == was.Picture {
				t.Error("it stands still")
			}
		})
	}
}
