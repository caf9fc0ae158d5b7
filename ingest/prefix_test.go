package ingest_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
)

// F2: a session cut at any byte leaves nothing behind but the tags that were whole.
func TestF2EveryPrefix(t *testing.T) {
	var session bytes.Buffer
	session.Write(hello())
	session.Write(make([]byte, 1536)) // C2
	w := chunk.NewWriter(&session)
	long := interFrame + fmt.Sprintf("%0300x", 7) // more than a chunk
	type step struct {
		message chunk.Message
		tag     string // what the sink gets of it
	}
	published, goodbye := 0, 0 // offsets of their last bytes
	ends := map[int]string{}   // tags by the offset at which they are whole
	for i, s := range []step{
		{message: connect("live")},
		{message: command(3, 0, "createStream", 2, amf.Null{})},
		{message: command(4, 1, "publish", 3, amf.Null{}, "key", "live")},
		{metadata(), metadataTag},
		{video(0, videoConfig), "video 0 " + videoConfig},
		{audio(0, audioConfig), "audio 0 " + audioConfig},
		{video(0, keyframe), "video 0 " + keyframe},
		{audio(10, audioFrame), "audio 10 " + audioFrame},
		{video(40, long), "video 40 " + long},
		{message: command(3, 0, "FCUnpublish", 4, amf.Null{}, "key")},
		{message: command(3, 0, "deleteStream", 5, amf.Null{}, 1.0)},
	} {
		w.WriteMessage(s.message)
		w.Flush()
		switch {
		case s.tag != "":
			ends[session.Len()] = s.tag
		case i == 2:
			published = session.Len()
		case i == 9:
			goodbye = session.Len()
		}
	}
	whole := session.Bytes()
	live(t, func(w *world) {
		var want []string
		for k := range len(whole) + 1 {
			if tag := ends[k]; tag != "" {
				want = append(want, tag)
			}
			w.sinks = nil
			p := w.dial("peer")
			if p.say(whole[:k]); !p.closed.IsZero() {
				t.Fatalf("%d bytes: the server hung up", k)
			}
			p.nc.Close()
			synctest.Wait()
			if k < published {
				if len(w.sinks) != 0 {
					t.Fatalf("%d bytes: published", k)
				}
				continue
			}
			if len(w.sinks) != 1 {
				t.Fatalf("%d bytes: %d publications", k, len(w.sinks))
			}
			s := w.sinks[0]
			if !slices.Equal(s.tags, want) || s.closed != 1 || (s.cause == nil) != (k >= goodbye) {
				t.Fatalf("%d bytes: closed %d times, cause %v, tags %v, want %v", k, s.closed, s.cause, s.tags, want)
			}
		}
		t.Logf("%d prefixes", len(whole)+1)
	})
}

// Whatever comes behind a handshake, the server answers or hangs up, closes
// the sink once and leaves no goroutine.
func FuzzSession(f *testing.F) {
	var b bytes.Buffer
	w := chunk.NewWriter(&b)
	w.WriteMessage(connect("live"))
	w.WriteMessage(command(3, 0, "createStream", 2, amf.Null{}))
	w.WriteMessage(command(4, 1, "publish", 3, amf.Null{}, "key", "live"))
	w.WriteMessage(metadata())
	w.WriteMessage(video(0, keyframe))
	w.WriteMessage(command(3, 0, "FCUnpublish", 4, amf.Null{}, "key"))
	w.Flush()
	f.Add(b.Bytes())
	f.Add(unhex("02 000000 000004 01 00000000 7fffffff 02 000000 000004 02 00000000 00000003"))
	f.Fuzz(func(t *testing.T, b []byte) {
		live(t, func(w *world) {
			p := w.dial("peer")
			p.handshake()
			p.say(b)
			p.nc.Close()
		})
	})
}
