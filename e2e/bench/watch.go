//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// watchRows are what viewers cost, and how long they wait.
var watchRows = []row{
	{
		name: "latency", title: "viewers of LL-HLS who wait for parts of 100 light streams", sizes: []int{500},
		peers: []string{"sluice"}, main: lastToPart, measure: latency,
	},
	watchRow("ll-hls", 500, 2000, 4000),
	watchRow("ll-dash", 500),
	watchRow("hls", 500, 10000),
	watchRow("dash", 500),
}

func watchRow(way string, sizes ...int) row {
	return row{
		name: "watch-" + way, title: "viewers of 20 light streams by " + way, sizes: sizes,
		peers: []string{"sluice"}, main: cpuPerViewer,
		measure: func(ctx context.Context, b *bench, p peer, viewers int) (figures, error) {
			return b.watch(ctx, p, way, viewers)
		},
	}
}

const (
	cpuPerViewer = "CPU-s per viewer-minute"
	lastToPart   = "p99 from a part's last frame to the part, ms"
)

// watch measures with streams alone and with their viewers: these cost what is
// between the two.
func (b *bench) watch(ctx context.Context, p peer, way string, viewers int) (figures, error) {
	const streams = 20
	return b.stage(ctx, p, "light", streams, func(s *server) (figures, error) {
		if err := b.awaitPlayable(ctx, streams); err != nil {
			return nil, err
		}
		alone, tookAlone, err := b.meter(ctx, s)
		if err != nil {
			return nil, err
		}
		var a audience
		if err := a.seat(ctx, b.addr(httpPort), way, viewers, streams); err != nil {
			return nil, err
		}
		began, got := time.Now(), a.got.Load()
		used, took, err := b.meter(ctx, s)
		rate := float64(a.got.Load()-got) / time.Since(began).Seconds()
		n := float64(viewers)
		more := used.cpu.Seconds()/took.Seconds() - alone.cpu.Seconds()/tookAlone.Seconds()
		return figures{
			cpuPerViewer:            more * 60 / n,
			"media/s per viewer":    rate / n,
			"core used":             used.cpu.Seconds() / took.Seconds(),
			"switches/s per viewer": float64(used.switches) / took.Seconds() / n,
			"more RSS, kB/viewer":   float64(used.rss-alone.rss) / n / 1e3,
		}, errors.Join(err, a.end())
	})
}

// latency lets viewers note how old frames are when their part comes. A part's
// first frame waits for the others, as long as they last; what is due to the server
// is how long the last one takes.
func latency(ctx context.Context, b *bench, p peer, viewers int) (figures, error) {
	const streams = 100
	return b.stage(ctx, p, "light", streams, func(*server) (figures, error) {
		if err := b.awaitPlayable(ctx, streams); err != nil {
			return nil, err
		}
		var a audience
		a.seen = a.note
		if err := a.seat(ctx, b.addr(httpPort), "ll-hls", viewers, streams); err != nil {
			return nil, err
		}
		if err := pause(ctx, b.warm); err != nil {
			return nil, err
		}
		a.settle()
		if err := pause(ctx, b.length); err != nil {
			return nil, err
		}
		err := a.end()
		return figures{
			lastToPart:                       a.ends.quantile(0.99),
			"p50 of it":                      a.ends.quantile(0.5),
			"p99 from any frame to its part": a.frames.quantile(0.99),
			"parts/s":                        float64(a.ends.n) / b.length.Seconds(),
		}, err
	})
}

// awaitPlayable waits until all streams have two segments at least.
func (b *bench) awaitPlayable(ctx context.Context, streams int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for i := range streams {
		if _, err := b.awaitSegments(ctx, fmt.Sprintf("/live/s%d/", i), 2); err != nil {
			return err
		}
	}
	return nil
}

// awaitSegments waits until a stream lists so many.
func (b *bench) awaitSegments(ctx context.Context, base string, enough int) (*lists.Playlist, error) {
	w, err := dial(ctx, b.addr(httpPort), 32<<10)
	if err != nil {
		return nil, err
	}
	defer w.nc.Close()
	for {
		text, err := w.text(base + "v1.m3u8")
		if status := (*statusError)(nil); err != nil && !errors.As(err, &status) {
			return nil, err
		}
		if l, bad := parseList(text); err == nil && bad == nil && len(l.Segments) >= enough {
			return l, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, fmt.Errorf("%s has not listed %d segments: %w", base, enough, err)
		}
	}
}
