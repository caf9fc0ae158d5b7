package packager

import (
	"sync"
	"sync/atomic"
	"testing"
)

// A drawing is made, and compressed, once for all who ask.
func TestTextIsDrawnOnce(t *testing.T) {
	w := newWindow(StreamName{"live", "cam1"})
	var drawn atomic.Int64
	var all sync.WaitGroup
	texts := make([]*Text, 100)
	for i := range texts {
		all.Go(func() {
			texts[i], _ = w.Text("a1", func() ([]byte, error) { drawn.Add(1); return []byte("#EXTM3U\n"), nil })
		})
	}
	all.Wait()
	for _, text := range texts {
		if drawn.Load() != 1 || &text.Bytes[0] != &texts[0].Bytes[0] || &text.Gzip[0] != &texts[0].Gzip[0] {
			t.Fatalf("drawn %d times", drawn.Load())
		}
	}
}
