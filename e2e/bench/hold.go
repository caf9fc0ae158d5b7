//go:build linux

package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"time"
)

// holdRows are what a server holds, and how soon it is there.
var holdRows = []row{
	{
		name: "memory", title: "streams of 1080p, 6 Mbit/s, for 45 s: a window and what is retired of it", sizes: []int{20},
		peers: []string{"sluice", "nginx-ts+dash"}, against: []string{"nginx-ts+dash"},
		main: rssPerStream, measure: memory,
	},
	{
		name: "start", title: "from the process's start to the first connection accepted", sizes: []int{1},
		peers: []string{"sluice", "nginx-ts+dash", "floor-go", "floor-c"}, against: []string{"nginx-ts+dash"},
		main: untilUp, measure: startUp,
	},
}

const (
	rssPerWindow   = "(RSS above idle - 2 MB) / window"
	untilUp        = "ms"
	fillTheWindows = 45 * time.Second
)

func memory(ctx context.Context, b *bench, p peer, streams int) (figures, error) {
	return b.stage(ctx, p, "heavy", streams, func(s *server) (figures, error) {
		if err := pause(ctx, fillTheWindows); err != nil {
			return nil, err
		}
		full, err := s.usage()
		n := float64(streams)
		rss := float64(full.rss-s.idle.rss) / n / 1e6
		of := figures{rssPerStream: rss, "files, MB/stream": float64(filesIn(s.dir)) / n / 1e6}
		if windows, err := b.windows(ctx); err == nil && windows > 0 {
			window := float64(windows) / n / 1e6
			of["window, MB/stream"], of[rssPerWindow] = window, (rss-2)/window
		}
		return of, err
	})
}

// windows asks sluice how many bytes its streams hold; others don't say.
func (b *bench) windows(ctx context.Context) (int, error) {
	w, err := dial(ctx, b.addr(adminPort), 32<<10)
	if err != nil {
		return 0, err
	}
	defer w.nc.Close()
	text, err := w.text("/api/v1/streams")
	if err != nil {
		return 0, err
	}
	var list struct {
		Streams []struct{ Bytes int }
	}
	err = json.Unmarshal([]byte(text), &list)
	total := 0
	for _, s := range list.Streams {
		total += s.Bytes
	}
	return total, err
}

// filesIn are the bytes of all files below a directory in memory.
func filesIn(dir string) int64 {
	var total int64
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil { // it may have been removed just now
			total += info.Size()
		}
		return nil
	})
	return total
}

func startUp(ctx context.Context, b *bench, p peer, _ int) (figures, error) {
	s, err := b.start(ctx, p, rtmpPort)
	if err != nil {
		return nil, err
	}
	return figures{untilUp: float64(s.up) / float64(time.Millisecond)}, s.stop()
}
