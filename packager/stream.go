package packager

import (
	"context"
	"errors"
	"sync/atomic"
)

// ErrReleased is for who waits for a stream that goes on in another process: see Release.
var ErrReleased = errors.New("the stream goes on in another process")

// Stream is what viewers hold: it shows the newest Window.
type Stream struct {
	name    StreamName
	window  atomic.Pointer[Window]
	loans   loans
	allowed atomic.Int64 // bytes, see Allow

	released chan struct{} // closed when nothing more comes
}

func newStream(name StreamName) *Stream {
	s := &Stream{name: name, released: make(chan struct{})}
	s.window.Store(newWindow(name))
	return s
}

// Window returns the newest Window.
func (s *Stream) Window() *Window { return s.window.Load() }

// Wait returns the first Window, beginning with the newest, of which reached
// is true, ErrReleased, or the context's error. It looks again when a part is complete.
func (s *Stream) Wait(ctx context.Context, reached func(*Window) bool) (*Window, error) {
	return s.wait(ctx, reached, (*Window).Superseded)
}

// WaitGrown is Wait for those who read parts while they grow.
func (s *Stream) WaitGrown(ctx context.Context, reached func(*Window) bool) (*Window, error) {
	return s.wait(ctx, reached, (*Window).Grown)
}

func (s *Stream) wait(ctx context.Context, reached func(*Window) bool, next func(*Window) <-chan struct{}) (*Window, error) {
	for {
		w := s.Window()
		if reached(w) {
			return w, nil
		}
		select {
		case <-next(w):
		case <-s.released:
			return nil, ErrReleased
		case <-ctx.Done():
			if w = s.Window(); reached(w) { // just now
				return w, nil
			}
			return nil, ctx.Err()
		}
	}
}

// publish puts w in the place of the newest Window. This is the one place
// where publishers meet viewers.
func (s *Stream) publish(w *Window) {
	old := s.Window()
	w.number(old)
	if w.Acts = old.Acts; old.shared != w.shared { // else it only grew
		w.Acts = actsBehind(old, w)
	}
	s.window.Store(w)
	old.grown.fire()
	if old.shared != w.shared {
		old.superseded.fire()
	}
}
