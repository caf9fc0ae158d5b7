package e2e

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// TestStartsQuickly asks for a stream once before it is published, and once
// right behind the publish: the second request is held, and answered as soon
// as there is something to play. Nobody has to poll.
func TestStartsQuickly(t *testing.T) {
	const stream = "live/start"
	const most = gop + 500*time.Millisecond // after the first keyframe
	tags := clipTags(t, clip360(t))
	s := startServer(t)

	for _, list := range []string{"index.m3u8", "index.mpd"} {
		r := s.do(t, http.MethodGet, s.url(stream+"/"+list))
		if err := r.is(http.StatusNotFound); err != nil {
			t.Fatal(err)
		}
		if got := r.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s before there is one: Cache-Control %q would keep it away from the viewers of the stream to come", list, got)
		}
	}

	p := publish(t, s.rtmpURL(stream), nil, tags)
	type arrival struct {
		what string
		at   time.Time
		err  error
	}
	arrivals := make(chan arrival, 2)
	var viewers sync.WaitGroup
	for what, view := range map[string]func(context.Context, string) error{"HLS": s.firstHLS, "DASH": s.firstDASH} {
		viewers.Go(func() {
			err := view(t.Context(), stream)
			arrivals <- arrival{what, time.Now(), err}
		})
	}
	viewers.Wait()
	close(arrivals)
	keyframe := <-p.keyframe
	for a := range arrivals {
		if a.err != nil {
			t.Errorf("%s: %v", a.what, a.err)
			continue
		}
		took := a.at.Sub(keyframe)
		t.Logf("%s: list, header and first segment %v after the first keyframe, %v after the publish", a.what, took.Round(time.Millisecond), a.at.Sub(p.accepted).Round(time.Millisecond))
		if took > most {
			t.Errorf("%s: playable %v after the first keyframe, %v is the most", a.what, took, most)
		}
	}
	p.goodbye(t)
}

// firstHLS takes everything that a player needs to begin, asking once for each.
func (s *server) firstHLS(ctx context.Context, stream string) error {
	base := s.url(stream + "/index.m3u8")
	body, err := s.body(ctx, base)
	if err != nil {
		return err
	}
	multi, err := lists.StrictMultivariant(base, body)
	if err != nil {
		return err
	}
	for _, u := range multi.Media() {
		body, err := s.body(ctx, u)
		if err != nil {
			return err
		}
		p, err := lists.Strict(u, body)
		if err != nil {
			return err
		}
		if err := s.firstSegment(ctx, p.Segments[0].Header, p.Segments[0].URI); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) firstDASH(ctx context.Context, stream string) error {
	u := s.url(stream + "/index.mpd")
	body, err := s.body(ctx, u)
	if err != nil {
		return err
	}
	m, err := lists.ParseMPD(u, body)
	if err != nil {
		return err
	}
	tracks, err := m.Tracks()
	if err != nil {
		return err
	}
	for _, tr := range tracks {
		if err := s.firstSegment(ctx, tr.Header, tr.Segments[0].URI); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) firstSegment(ctx context.Context, header, uri string) error {
	h, err := s.body(ctx, header)
	if err != nil {
		return err
	}
	m, err := readHeader(h)
	if err != nil {
		return err
	}
	b, err := s.body(ctx, uri)
	if err != nil {
		return err
	}
	_, _, err = m.add(b)
	return err
}
