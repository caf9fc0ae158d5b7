//go:build linux

package main

import (
	"bytes"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

// The clip's bytes, sent again and again behind a configuration, are messages on
// one even line.
func TestClipGoesRound(t *testing.T) {
	for name, k := range kinds {
		c, err := newClip(name)
		if err != nil {
			t.Fatal(err)
		}
		if rate := float64(c.bytes) * 8 / clipLength.Seconds(); math.Abs(rate/float64(k.bitrate)-1) > 0.03 {
			t.Errorf("%s: %.0f bit/s are sent, %d wanted", name, rate, k.bitrate)
		}
		wire := new(bytes.Buffer)
		w := chunk.NewWriter(wire)
		w.SetChunkSize(chunkSize)
		for _, tag := range c.config {
			w.WriteMessage(chunk.Message{ChunkStreamID: mediaStream, StreamID: 7, Type: chunk.Type(tag.Type), Body: tag.Body})
		}
		w.Flush()
		for range 2 {
			for _, m := range c.messages {
				wire.Write(m.wire)
			}
		}
		r := chunk.NewReader(wire, chunk.DefaultLimits())
		first, n := uint32(0), 0
		for ; ; n++ {
			m, err := r.ReadMessage()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: message %d: %v", name, n, err)
			}
			i := n - len(c.config)
			if i < 0 {
				continue
			}
			if i == 0 {
				first = m.Timestamp
			}
			at := c.messages[i%len(c.messages)].at + time.Duration(i/len(c.messages))*clipLength
			if got := time.Duration(m.Timestamp-first) * time.Millisecond; got != at || m.StreamID != 7 {
				t.Fatalf("%s: message %d is at %v of stream %d, want %v of 7", name, i, got, m.StreamID, at)
			}
			if video := m.Type == chunk.Type(flv.TagVideo); video != (c.messages[i%len(c.messages)].stamp != nil) {
				t.Fatalf("%s: message %d of type %d has a stamp, or has none", name, i, m.Type)
			}
		}
		if want := len(c.config) + 2*len(c.messages); n != want {
			t.Errorf("%s: %d messages, want %d", name, n, want)
		}
	}
}

// However many streams there are, no two begin together, and none is far from
// its place in an even spread.
func TestPhasesAreSpread(t *testing.T) {
	for _, n := range []int{1, 20, 100, 1000} {
		phases := make([]time.Duration, n)
		for i := range phases {
			phases[i] = phase(i)
		}
		slices.Sort(phases)
		even := 2 * time.Second / time.Duration(n)
		for i := 1; i < n; i++ {
			if gap := phases[i] - phases[i-1]; gap < even/4 || gap > 3*even {
				t.Errorf("%d streams: %v between two, %v would be even", n, gap, even)
			}
		}
	}
}
