package admin

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// river is the newest of what comes one after another, each with an id. Whoever follows
// has a place in it, and nothing else: the slow miss what was forgotten meanwhile, and
// are told.
type river[T any] struct {
	most int // that are remembered

	mu     sync.Mutex
	next   uint64        // id of the next
	kept   []T           // the newest, oldest first
	more   chan struct{} // closed by the next
	closed bool
}

func newRiver[T any](most int, first uint64) *river[T] {
	return &river[T]{most: most, next: first, more: make(chan struct{})}
}

// put adds what of makes for an id.
func (r *river[T]) put(of func(id uint64) T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := of(r.next)
	r.next++
	if len(r.kept) == r.most {
		r.kept = append(r.kept[:0:0], r.kept[r.most/4:]...)
	}
	r.kept = append(r.kept, one)
	if !r.closed {
		close(r.more)
		r.more = make(chan struct{})
	}
}

// close ends the waiting of all who follow.
func (r *river[T]) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.more)
	}
}

// newest is the id of the last.
func (r *river[T]) newest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next - 1
}

// current is what lies behind a place in a river.
type current[T any] struct {
	all    []T
	before uint64          // id of what is in front of the first
	missed bool            // something between is not known any more
	more   <-chan struct{} // closed when there is more
	open   bool            // false: no more will come
}

func (r *river[T]) behind(id uint64) current[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.next - uint64(len(r.kept))
	missed := id >= r.next || id+1 < first
	if missed {
		id = first - 1
	}
	return current[T]{append([]T(nil), r.kept[id+1-first:]...), id, missed, r.more, !r.closed}
}

// news are what is told to one who listens: text that is behind a place, and the place
// behind that.
type news func(at uint64) (text []byte, next uint64, more <-chan struct{}, open bool)

// follow tells of what comes, as server-sent events, until one of both goes. at is where
// one begins who doesn't say.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, at uint64, tell news) {
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		id, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			Refuse(w, r, http.StatusUnprocessableEntity, "Last-Event-ID is no id of an event")
			return
		}
		at = id
	}
	defer s.listening.Add(-1)
	if s.listening.Add(1) > mostListeners {
		Refuse(w, r, http.StatusServiceUnavailable, "too many listen already")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for first := true; ; first = false {
		text, next, more, open := tell(at)
		at = next
		switch {
		case len(text) > 0:
		case first: // an id without data is no event, but who comes back says it: nothing is missed before the first one
			text = fmt.Appendf(nil, "id: %d\n\n", at)
		case open:
			text = []byte(":\n\n") // so that a dead connection shows
		}
		// By the machine's clock, as sockets go by it; in tests there may be no socket.
		_ = control.SetWriteDeadline(time.Now().Add(s.WriteTimeout))
		if _, err := w.Write(text); err != nil || control.Flush() != nil || !open {
			return
		}
		// HTTP/2 breaks off at the deadline, written or not.
		_ = control.SetWriteDeadline(time.Now().Add(beat + s.WriteTimeout))
		select {
		case <-more:
		case <-alive.C:
		case <-r.Context().Done():
			return
		}
	}
}
