//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// viewer watches the pictures of one stream. Its connection belongs to its
// goroutine.
type viewer struct {
	*wire
	base string             // the stream's path
	seen func(media []byte) // what comes, whole and valid until it returns; may be nil
	got  *atomic.Int64      // parts and segments
	body []byte
}

// ways to watch.
var ways = map[string]func(*viewer, context.Context) error{
	"ll-hls":  (*viewer).lowLatency,
	"hls":     (*viewer).segments,
	"dash":    (*viewer).dash,
	"ll-dash": (*viewer).growing,
}

// lowLatency waits for each part that is hinted at, and reads the playlist.
func (v *viewer) lowLatency(ctx context.Context) error {
	query := ""
	for {
		text, err := v.text(v.base + "v1.m3u8" + query)
		if err != nil {
			return err
		}
		l, err := parseList(text)
		if err != nil {
			return err
		}
		if query = reload(l); l.Hint != "" {
			if err := v.media(l.Hint); err != nil {
				return err
			}
		}
	}
}

// rest is how often lists are read where they are not waited for.
const rest = 2 * time.Second

// segments reads the playlist, and what is new in it.
func (v *viewer) segments(ctx context.Context) error {
	var last string
	for {
		text, err := v.text(v.base + "v1.m3u8")
		if err != nil {
			return err
		}
		l, err := parseList(text)
		if err != nil {
			return err
		}
		if err := v.follow(&last, namesOf(l)); err != nil {
			return err
		}
		if err := pause(ctx, rest); err != nil {
			return err
		}
	}
}

// dash reads the manifest, and what is new in it. The last segment of it is left
// alone: it may be in production.
func (v *viewer) dash(ctx context.Context) error {
	var last string
	for {
		urls, err := v.manifest()
		if err != nil {
			return err
		}
		if err := v.follow(&last, urls[:len(urls)-1]); err != nil {
			return err
		}
		if err := pause(ctx, rest); err != nil {
			return err
		}
	}
}

// growing reads each segment while it grows: the newest of a manifest is in
// production, or about to be.
func (v *viewer) growing(ctx context.Context) error {
	var last string
	for {
		urls, err := v.manifest()
		if err != nil {
			return err
		}
		before := last
		if err := v.follow(&last, urls); err != nil {
			return err
		}
		if last == before { // nobody knows yet how long the next one will be
			if err := pause(ctx, rest/20); err != nil {
				return err
			}
		}
	}
}

// follow gets all segments behind the one that came last; at first, the newest.
func (v *viewer) follow(last *string, urls []string) error {
	for _, url := range behind(*last, urls) {
		if err := v.media(url); err != nil {
			return err
		}
		*last = url
	}
	return nil
}

func behind(last string, urls []string) []string {
	if last == "" {
		return urls[max(0, len(urls)-1):]
	}
	return urls[slices.Index(urls, last)+1:] // who is too late has missed some
}

// manifest returns the URLs of what it lists.
func (v *viewer) manifest() ([]string, error) {
	text, err := v.text(v.base + "index.mpd")
	if err != nil {
		return nil, err
	}
	return parseManifest(text)
}

func (v *viewer) media(name string) error {
	v.body = v.body[:0]
	var keep func([]byte)
	if v.seen != nil {
		keep = func(more []byte) { v.body = append(v.body, more...) }
	}
	status, _, err := v.get(v.base+name, keep)
	if err == nil && status != http.StatusOK {
		err = &statusError{name, status}
	}
	if err == nil {
		v.got.Add(1)
		if v.seen != nil {
			v.seen(v.body)
		}
	}
	return err
}

// audience are viewers of all streams, the same number of each.
type audience struct {
	all    sync.WaitGroup
	leave  context.CancelFunc
	seen   func(media []byte) // by each viewer; may be nil
	got    atomic.Int64       // parts and segments, by all
	here   atomic.Int64       // who watches
	failed atomic.Int64       // those who had to begin anew

	mu     sync.Mutex
	last   error  // of those
	frames delays // from a frame's sending to its part being here
	ends   delays // the same, of each part's last frame
}

// seat lets viewers come in, a thousand a second at most, and returns when all
// have tried.
func (a *audience) seat(ctx context.Context, addr, way string, viewers, streams int) error {
	ctx, a.leave = context.WithCancel(ctx)
	over := max(time.Second, time.Duration(viewers)*time.Millisecond)
	for i := range viewers {
		base := fmt.Sprintf("/live/s%d/", i%streams)
		a.all.Go(func() {
			if pause(ctx, time.Duration(i)*over/time.Duration(viewers)) == nil {
				a.sit(ctx, addr, base, ways[way])
			}
		})
	}
	return pause(ctx, over)
}

// sit watches until ctx ends.
func (a *audience) sit(ctx context.Context, addr, base string, way func(*viewer, context.Context) error) {
	a.here.Add(1)
	defer a.here.Add(-1)
	for {
		err := a.watch(ctx, addr, base, way)
		if ctx.Err() != nil {
			return
		}
		a.failed.Add(1)
		a.mu.Lock()
		a.last = err
		a.mu.Unlock()
		if pause(ctx, time.Second) != nil {
			return
		}
	}
}

func (a *audience) watch(ctx context.Context, addr, base string, way func(*viewer, context.Context) error) error {
	w, err := dial(ctx, addr, 32<<10)
	if err != nil {
		return err
	}
	defer w.nc.Close()
	return way(&viewer{wire: w, base: base, seen: a.seen, got: &a.got}, ctx)
}

// settle forgets what was until now.
func (a *audience) settle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.frames, a.ends = delays{}, delays{}
	a.failed.Store(0)
}

// end lets all leave, and tells whether all could watch since settle.
func (a *audience) end() error {
	here, failed := a.here.Load(), a.failed.Load()
	a.leave()
	a.all.Wait()
	if failed > 0 {
		return fmt.Errorf("%d of %d viewers failed, one with: %w", failed, here, a.last)
	}
	if here == 0 {
		return errors.New("nobody watches")
	}
	return nil
}

// note takes down how old the frames of a part are.
func (a *audience) note(part []byte) {
	now, sent := time.Now(), sendTimes(part)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, at := range sent {
		a.frames.add(now.Sub(at))
		if i == len(sent)-1 {
			a.ends.add(now.Sub(at))
		}
	}
}

// sendTimes finds when the frames in some media were sent.
func sendTimes(media []byte) []time.Time {
	var times []time.Time
	for {
		i := bytes.Index(media, stampMark)
		if i < 0 || len(media) < i+len(stampMark)+8 {
			return times
		}
		media = media[i+len(stampMark):]
		times = append(times, time.Unix(0, int64(binary.BigEndian.Uint64(media))))
	}
}
