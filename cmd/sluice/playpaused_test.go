package main

import (
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
)

// Who pauses for long keeps no window in memory, goes on with a keyframe at the stream's own time,
// and hears of its end; who pauses for a moment goes on where he was.
func TestPlayPaused(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		whole bool // nothing is left out
		ends  bool // the stream does, meanwhile
	}{
		"a moment":            {3 * time.Second, true, false},
		"long":                {2 * time.Minute, false, false},
		"until the end":       {time.Minute, false, true},
		"a moment at the end": {3 * time.Second, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			inTheatre(t, func(*config.Config) {}, func(h *theatre) {
				p := h.encoder()
				h.publish(p, 8*time.Second)
				line := h.door.dial()
				r, err := client.NewReader(line, "live", "cam1", "rtmp://sluice/live", client.Tells{})
				if err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				var got []flv.Tag
				var cause error
				count := func() int {
					synctest.Wait()
					mu.Lock()
					defer mu.Unlock()
					return len(got)
				}
				go func() {
					defer r.Close()
					for {
						tag, err := r.ReadTag()
						mu.Lock()
						if err != nil {
							cause = err
							mu.Unlock()
							return
						}
						if tag.Type == flv.TagVideo && tag.Body[1] == 1 {
							tag.Body = append([]byte(nil), tag.Body...)
							got = append(got, tag)
						}
						mu.Unlock()
					}
				}()
				order := func(on bool) {
					line.SetWriteDeadline(time.Time{}) // that of the reader's last answer has passed
					w := chunk.NewWriter(line)
					w.WriteMessage(chunk.Message{ChunkStreamID: 8, StreamID: 1, Type: chunk.TypeCommandAMF0, Body: amf.Append(nil, "pause", 0.0, amf.Null{}, on, 0.0)})
					if err := w.Flush(); err != nil {
						t.Error(err)
					}
				}
				h.publish(p, 4*time.Second)
				order(true)
				before := count()
				shown := func() weak.Pointer[packager.Window] {
					return weak.Make(h.app.catalog.Streams()[0].Window())
				}()
				h.publish(p, c.pause)
				if c.ends {
					p.Close()
					if !c.whole {
						time.Sleep(5 * time.Minute)
						synctest.Wait()
						mu.Lock()
						if cause != io.EOF {
							t.Errorf("the stream has ended, and it hears %v", cause)
						}
						mu.Unlock()
					}
				}
				if n := count(); n != before {
					t.Errorf("%d pictures came while it was paused", n-before)
				}
				if !c.whole {
					runtime.GC()
					runtime.GC()
					if shown.Value() != nil {
						t.Error("a window of minutes ago is held for it")
					}
					if n := h.app.pinned(); n != 0 {
						t.Errorf("%d bytes are held for it", n)
					}
				}
				if c.ends && !c.whole {
					return
				}
				order(false)
				if !c.ends {
					h.publish(p, 8*time.Second)
					p.Close()
				}
				time.Sleep(5 * time.Second)
				all := count()
				mu.Lock()
				defer mu.Unlock()
				next := got[before:]
				if len(next) == 0 || !c.whole && next[0].Body[0]>>4 != 1 || cause != io.EOF {
					t.Fatalf("%d pictures, then %d, which end with %v", before, all, cause)
				}
				if c.whole {
					if missed, _, last := follows(t, h.sent, got); missed != 0 || last != len(of(flv.TagVideo, h.sent))-1 {
						t.Errorf("%d pictures are left out, to %d of %d", missed, last, len(of(flv.TagVideo, h.sent)))
					}
				}
				if away := time.Duration(next[0].Timestamp-got[before-1].Timestamp) * time.Millisecond; !c.whole && (away < c.pause-10*time.Second || away > c.pause+time.Second) {
					t.Errorf("timestamps go on by %v behind a pause of %v", away, c.pause)
				}
			})
		})
	}
}
