package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// TestGoodbye ends a publication and begins another of the same name.
func TestGoodbye(t *testing.T) {
	if testing.Short() {
		t.Skip("watches two publications for twenty seconds")
	}
	t.Parallel()
	const stream = "live/goodbye"
	tags := clipTags(t, clip360(t))
	s := startServer(t, "-window-segments", "3")
	p := publish(t, s.rtmpURL(stream), nil, tags)
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	// Long enough for the window to slide, and not to end with a segment.
	eventually(t, 20*time.Second, "the window slides", func() error { return w.slid(2) })

	said := p.goodbye(t)
	eventually(t, time.Second, "ENDLIST and a static manifest", func() error { return s.allEnded(t.Context(), stream) })
	t.Logf("the lists say so %v after the goodbye", time.Since(said).Round(time.Millisecond))
	eventually(t, 10*time.Second, "the watcher sees it too", w.ended)
	w.stop(t)
	keepLists(t, s, w)
	window := w.listed()
	last := w.lastNumbers()

	// The server keeps what it listed for 90 s, unless -window-linger says
	// otherwise. Five of them are looked at.
	holds(t, 5*time.Second, func() error { return w.sameBytes(t.Context(), window) })

	p = publish(t, s.rtmpURL(stream), nil, tags)
	eventually(t, 20*time.Second, "the second publication is listed", func() error {
		return s.notEnded(t.Context(), stream)
	})
	second := s.watch(t, stream)
	eventually(t, 10*time.Second, "it goes on", func() error { return second.has(2) })
	second.stop(t)
	for u, h := range second.playlists {
		if h.last.Sequence <= last[u] {
			t.Errorf("%s begins with segment %d, the publication before it ended with %d", u, h.last.Sequence, last[u])
		}
		for _, seg := range h.last.Segments {
			if slices.Contains(window, seg.URI) || slices.Contains(window, seg.Header) {
				t.Errorf("%s has a URL of the publication before it: %s, %s", u, seg.Header, seg.URI)
			}
		}
	}
	if err := w.sameBytes(t.Context(), window); err != nil {
		t.Errorf("files of the first publication, during the second: %v", err)
	}
	p.goodbye(t)
}

// holds checks again and again that something stays as it is.
func holds(t testing.TB, during time.Duration, check func() error) {
	t.Helper()
	end := time.NewTimer(during)
	defer end.Stop()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := check(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-end.C:
			return
		}
	}
}

// lists fetches and reads all lists of a stream.
func (s *server) lists(ctx context.Context, stream string) ([]*lists.Playlist, *lists.Manifest, error) {
	base := s.url(stream + "/index.m3u8")
	body, err := s.body(ctx, base)
	if err != nil {
		return nil, nil, err
	}
	multi, err := lists.StrictMultivariant(base, body)
	if err != nil {
		return nil, nil, err
	}
	var playlists []*lists.Playlist
	for _, u := range multi.Media() {
		if body, err = s.body(ctx, u); err != nil {
			return nil, nil, err
		}
		p, err := lists.Strict(u, body)
		if err != nil {
			return nil, nil, err
		}
		playlists = append(playlists, p)
	}
	u := s.url(stream + "/index.mpd")
	if body, err = s.body(ctx, u); err != nil {
		return nil, nil, err
	}
	m, err := lists.ParseMPD(u, body)
	return playlists, m, err
}

func (s *server) allEnded(ctx context.Context, stream string) error {
	playlists, m, err := s.lists(ctx, stream)
	if err != nil {
		return err
	}
	for _, p := range playlists {
		if !p.Ended {
			return errors.New("a playlist without EXT-X-ENDLIST")
		}
	}
	if m.Type != "static" {
		return fmt.Errorf("a manifest of type %q", m.Type)
	}
	return nil
}

func (s *server) notEnded(ctx context.Context, stream string) error {
	playlists, m, err := s.lists(ctx, stream)
	if err != nil {
		return err
	}
	if m.Type != "dynamic" || slices.ContainsFunc(playlists, func(p *lists.Playlist) bool { return p.Ended }) {
		return errors.New("it is ended")
	}
	return nil
}

// slid tells whether each playlist has lost segments.
func (w *watcher) slid(segments int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.playlists) == 0 {
		return errors.New("nothing is listed")
	}
	for u, h := range w.playlists {
		if h.slides < segments {
			return fmt.Errorf("%d segments left %s", h.slides, u)
		}
	}
	return nil
}

// has tells whether each playlist has that many segments.
func (w *watcher) has(segments int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.playlists) == 0 {
		return errors.New("nothing is listed")
	}
	for u, h := range w.playlists {
		if len(h.last.Segments) < segments {
			return fmt.Errorf("%d segments in %s", len(h.last.Segments), u)
		}
	}
	return nil
}

// lastNumbers is the last media sequence number of each playlist.
func (w *watcher) lastNumbers() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := make(map[string]int64)
	for u, h := range w.playlists {
		last[u] = h.last.Next() - 1
	}
	return last
}

// TestF13SIGTERM stops the server while a stream is live: its viewers reach the
// end of it first.
func TestF13SIGTERM(t *testing.T) {
	t.Parallel()
	const stream = "live/sigterm"
	tags := clipTags(t, clip360(t))
	s := startServer(t)
	p := publish(t, s.rtmpURL(stream), nil, tags)
	awaitPlayable(t, s, stream)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begin := time.Now()
	var poller sync.WaitGroup
	var ended, unready error
	poller.Go(func() {
		ended, unready = errors.New("never"), errors.New("never")
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ended != nil || unready != nil {
			if ended != nil {
				if ended = s.allEnded(ctx, stream); ended == nil {
					t.Logf("viewers read the end of the stream %v after SIGTERM", time.Since(begin).Round(time.Millisecond))
				}
			}
			if unready != nil {
				if r, err := s.fetch(ctx, http.MethodGet, "http://"+s.admin+"/readyz", nil); err != nil {
					unready = err
				} else {
					unready = r.is(http.StatusServiceUnavailable)
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.stopped(t, begin)
	cancel()
	poller.Wait()
	if ended != nil {
		t.Errorf("no viewer could read the end of the stream: %v", ended)
	}
	if unready != nil {
		t.Errorf("/readyz never said that the server stops: %v", unready)
	}
	p.cancel() // its connection is gone
	p.done.Wait()
}
