package packager

import (
	"context"
	"sync/atomic"
)

// Stream is what viewers hold: it shows the newest Window.
type Stream struct {
	name   StreamName
	window atomic.Pointer[Window]
}

func newStream(name StreamName) *Stream {
	s := &Stream{name: name}
	s.window.Store(&Window{Stream: name})
	return s
}

// Window returns the newest Window.
func (s *Stream) Window() *Window { return s.window.Load() }

// Wait returns the first Window, beginning with the newest, of which reached
// is true, or the context's error.
func (s *Stream) Wait(ctx context.Context, reached func(*Window) bool) (*Window, error) {
	for {
		w := s.Window()
		if reached(w) {
			return w, nil
		}
		select {
		case <-w.Superseded():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// publish puts w in the place of the newest Window. This is the one place
// where publishers meet viewers.
func (s *Stream) publish(w *Window) {
	s.window.Swap(w).supersede()
}
