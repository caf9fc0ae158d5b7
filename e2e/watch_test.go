package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// watcher is a viewer who looks at everything that a stream lists, all the
// time, and checks each version against the one before. It takes every media
// file once while it is listed, and again at the end.
type watcher struct {
	s      *server
	stream string
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu        sync.Mutex
	playlists map[string]*history // by URL
	mpd       mpdHistory
	files     map[string][]byte // by URL
	versions  map[string]int
	faults    []error
}

// listFault is a fault of a playlist or a manifest.
type listFault struct {
	url  string
	err  error
	body []byte
}

func (f *listFault) Error() string { return f.url + ": " + f.err.Error() }

const watchInterval = 400 * time.Millisecond

// watch begins when the stream can be played, and ends with stop.
func (s *server) watch(t testing.TB, stream string) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watcher{
		s: s, stream: stream, cancel: cancel,
		playlists: make(map[string]*history),
		files:     make(map[string][]byte),
		versions:  make(map[string]int),
	}
	w.done.Go(func() {
		tick := time.NewTicker(watchInterval)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := w.look(ctx); err != nil && ctx.Err() == nil {
				w.note(err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { cancel(); w.done.Wait() })
	return w
}

// note keeps the first faults: more of them say no more.
func (w *watcher) note(err error) {
	const most = 3
	w.mu.Lock()
	defer w.mu.Unlock()
	same := func(f error) bool { return f.Error() == err.Error() }
	if len(w.faults) < most && !slices.ContainsFunc(w.faults, same) {
		w.faults = append(w.faults, err)
	}
}

// found is what is wrong so far.
func (w *watcher) found() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.faults)
}

// stop ends the watch and fails the test with what was found.
func (w *watcher) stop(t testing.TB) {
	t.Helper()
	w.cancel()
	w.done.Wait()
	for i, err := range w.faults {
		t.Error(err)
		if list := (*listFault)(nil); errors.As(err, &list) {
			keep(t, fmt.Sprintf("fault-%d.txt", i+1), list.body)
		}
	}
}

// look fetches all versions of this moment.
func (w *watcher) look(ctx context.Context) error {
	base := w.s.url(w.stream + "/index.m3u8")
	body, err := w.s.body(ctx, base)
	if err != nil {
		return err
	}
	multi, err := lists.StrictMultivariant(base, body)
	if err != nil {
		return &listFault{base, err, body}
	}
	for _, u := range multi.Media() {
		body, err := w.s.body(ctx, u)
		if err != nil {
			return err
		}
		p, err := lists.Strict(u, body)
		if err == nil {
			w.mu.Lock()
			h, ok := w.playlists[u]
			if !ok {
				h = new(history)
				w.playlists[u] = h
			}
			err = h.add(p, time.Now())
			w.versions[u]++
			w.mu.Unlock()
		}
		if err != nil {
			return &listFault{u, err, body}
		}
		for _, s := range p.Segments {
			if s.Gap {
				continue // there is nothing to fetch
			}
			if err := w.take(ctx, s.Header, s.URI); err != nil {
				return err
			}
		}
	}
	return w.lookMPD(ctx)
}

func (w *watcher) lookMPD(ctx context.Context) error {
	u := w.s.url(w.stream + "/index.mpd")
	body, err := w.s.body(ctx, u)
	if err != nil {
		return err
	}
	m, err := lists.ParseMPD(u, body)
	if err == nil {
		err = lists.CheckStructure(body)
	}
	if err == nil {
		w.mu.Lock()
		err = w.mpd.add(m)
		w.versions[u]++
		w.mu.Unlock()
	}
	if err != nil {
		return &listFault{u, err, body}
	}
	tracks, err := m.Tracks()
	if err != nil {
		return err
	}
	for _, tr := range tracks {
		for _, s := range tr.Segments {
			if s.Available.After(time.Now()) {
				continue // one that is still to begin
			}
			if err := w.take(ctx, tr.Header, s.URI); err != nil {
				return err
			}
		}
	}
	return nil
}

// take fetches what it has not got yet.
func (w *watcher) take(ctx context.Context, urls ...string) error {
	for _, u := range urls {
		w.mu.Lock()
		_, have := w.files[u]
		w.mu.Unlock()
		if have {
			continue
		}
		body, err := w.s.body(ctx, u)
		if err != nil {
			return fmt.Errorf("listed, but: %w", err)
		}
		w.mu.Lock()
		w.files[u] = body
		w.mu.Unlock()
	}
	return nil
}

// ended tells whether every list says that nothing will follow, and all that they list is here.
func (w *watcher) ended() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mpd.last == nil || w.mpd.last.Type != "static" {
		return fmt.Errorf("the manifest is not static")
	}
	for u, h := range w.playlists {
		if !h.last.Ended {
			return fmt.Errorf("%s has no EXT-X-ENDLIST", u)
		}
		for _, s := range h.last.Segments {
			if _, ok := w.files[s.URI]; !ok && !s.Gap {
				return fmt.Errorf("%s is not here yet", s.URI)
			}
		}
	}
	return nil
}

// listed returns the URLs of all media that is listed now, headers included.
func (w *watcher) listed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var urls []string
	for _, u := range slices.Sorted(maps.Keys(w.playlists)) {
		for _, s := range w.playlists[u].last.Segments {
			urls = append(urls, s.Header, s.URI)
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// sameBytes fetches files again: a URL has the same bytes for ever.
func (w *watcher) sameBytes(ctx context.Context, urls []string) error {
	for _, u := range urls {
		body, err := w.s.body(ctx, u)
		if err != nil {
			return err
		}
		w.mu.Lock()
		was := w.files[u]
		w.mu.Unlock()
		if !bytes.Equal(body, was) {
			return fmt.Errorf("%s has other bytes than before", u)
		}
	}
	return nil
}
