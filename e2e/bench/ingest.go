//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// ingestRows are what it costs to take streams in while nobody watches.
var ingestRows = []row{
	{
		name: "ingest-heavy", title: "streams of 1080p, 6 Mbit/s, nobody watches", sizes: []int{20},
		peers:   []string{"sluice", "nginx-ts", "nginx-ts+dash", "floor-go", "floor-rounds", "floor-c"},
		against: []string{"floor-go", "floor-c", "nginx-ts+dash"},
		main:    cpuPerStream, measure: ingesting("heavy"),
		warm: 40 * time.Second, // windows are full then, and no memory is touched for the first time
	},
	{
		name: "ingest-light", title: "streams of 360p, 0.8 Mbit/s, nobody watches", sizes: []int{100},
		peers:   []string{"sluice", "nginx-ts", "nginx-ts+dash", "floor-go", "floor-rounds", "floor-c"},
		against: []string{"floor-go", "floor-c", "nginx-ts+dash"},
		main:    cpuPerStream, measure: ingesting("light"),
	},
	{
		name: "growth", title: "streams of 360p, 0.8 Mbit/s, nobody watches, from few to many", sizes: []int{1, 20, 100, 500, 1000},
		peers:   []string{"sluice", "nginx-ts+dash", "floor-go"},
		against: []string{"floor-go", "nginx-ts+dash"},
		main:    cpuPerStream, measure: ingesting("light"),
	},
}

const (
	cpuPerStream = "CPU-s per stream-minute"
	rssPerStream = "RSS above idle, MB/stream"
)

func ingesting(kind string) func(context.Context, *bench, peer, int) (figures, error) {
	return func(ctx context.Context, b *bench, p peer, streams int) (figures, error) {
		return b.stage(ctx, p, kind, streams, func(s *server) (figures, error) {
			used, took, err := b.meter(ctx, s)
			n := float64(streams)
			return figures{
				cpuPerStream:            used.cpu.Seconds() / n / took.Minutes(),
				"% in user space":       100 * used.user.Seconds() / used.cpu.Seconds(),
				"switches/s per stream": float64(used.switches) / n / took.Seconds(),
				rssPerStream:            float64(used.rss-s.idle.rss) / n / 1e6,
			}, err
		})
	}
}

// meter lets the load work on, and returns what the server used meanwhile.
func (b *bench) meter(ctx context.Context, s *server) (usage, time.Duration, error) {
	if err := pause(ctx, b.warm); err != nil {
		return usage{}, 0, err
	}
	before, err := s.usage()
	if err != nil {
		return usage{}, 0, err
	}
	began := time.Now()
	if err := pause(ctx, b.length); err != nil {
		return usage{}, 0, err
	}
	after, err := s.usage()
	took := time.Since(began)
	if err != nil {
		return usage{}, took, fmt.Errorf("after the measurement: %w", err)
	}
	return after.since(before), took, nil
}
