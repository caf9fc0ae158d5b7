//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// deliverRows are what it costs to send, beside nginx that sends the same files
// from memory.
var deliverRows = []row{
	{
		name: "segments", title: "whole segments of 1.5 MB to connections that take all they can", sizes: []int{8},
		peers: []string{"sluice", "nginx-files"}, against: []string{"nginx-files"},
		main: cpuPerGB, measure: delivering(segmentsOf),
	},
	{
		name: "playlists", title: "a media playlist to connections that ask without a pause", sizes: []int{16},
		peers: []string{"sluice", "nginx-files", "floor-http"}, against: []string{"nginx-files", "floor-http"},
		main: cpuPerRequest, measure: delivering(playlistOf),
	},
}

const (
	cpuPerGB      = "CPU-s per GB"
	cpuPerRequest = "CPU µs per request"
)

const onlyStream = "/live/s0/"

// what of a stream is asked for.
func segmentsOf(l *lists.Playlist) []string {
	paths := namesOf(l)
	for i := range paths {
		paths[i] = onlyStream + paths[i]
	}
	return paths
}

func playlistOf(*lists.Playlist) []string { return []string{onlyStream + "v1.m3u8"} }

func delivering(what func(*lists.Playlist) []string) func(context.Context, *bench, peer, int) (figures, error) {
	return func(ctx context.Context, b *bench, p peer, connections int) (figures, error) {
		if p.files {
			return b.deliverFiles(ctx, p, what, connections)
		}
		return b.deliver(ctx, p, what, connections)
	}
}

// deliver asks a server that has a stream. What it listed stays, for nginx to
// serve the same.
func (b *bench) deliver(ctx context.Context, p peer, what func(*lists.Playlist) []string, connections int) (figures, error) {
	return b.stage(ctx, p, "heavy", 1, func(s *server) (figures, error) {
		const window = 8 // its text is as long as it gets
		l, err := b.awaitSegments(ctx, onlyStream, window)
		if err != nil {
			return nil, err
		}
		if err := b.keep(ctx, l); err != nil {
			return nil, err
		}
		return b.load(ctx, s, b.addr(httpPort), what(l), connections)
	})
}

// kept is where the files are that were delivered last.
func (b *bench) kept() string { return filepath.Join(b.dir, "kept") }

// keep downloads what a stream lists now.
func (b *bench) keep(ctx context.Context, l *lists.Playlist) error {
	if err := os.RemoveAll(b.kept()); err != nil {
		return err
	}
	w, err := dial(ctx, b.addr(httpPort), 256<<10)
	if err != nil {
		return err
	}
	defer w.nc.Close()
	for _, path := range append(segmentsOf(l), playlistOf(l)...) {
		text, err := w.text(path)
		if err != nil {
			return err
		}
		file := filepath.Join(b.kept(), path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) deliverFiles(ctx context.Context, p peer, what func(*lists.Playlist) []string, connections int) (figures, error) {
	text, err := os.ReadFile(filepath.Join(b.kept(), onlyStream, "v1.m3u8"))
	if err != nil {
		return nil, fmt.Errorf("there are no files that sluice delivered, measure it first: %w", err)
	}
	l, err := parseList(string(text))
	if err != nil {
		return nil, err
	}
	s, err := b.start(ctx, p, filesPort)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return b.load(ctx, s, b.addr(filesPort), what(l), connections)
}

// demand is what connections have got so far.
type demand struct{ bytes, requests atomic.Int64 }

// load asks for paths, over and over, on many connections.
func (b *bench) load(ctx context.Context, s *server, addr string, paths []string, connections int) (figures, error) {
	asking, leave := context.WithCancel(ctx)
	defer leave()
	var all sync.WaitGroup
	var d demand
	errs := make([]error, connections)
	for i := range connections {
		all.Go(func() {
			if err := d.ask(asking, addr, paths, i); asking.Err() == nil {
				errs[i] = err
			}
		})
	}
	if err := pause(ctx, min(b.warm, time.Second)); err != nil {
		return nil, err
	}
	bytes, requests := d.bytes.Load(), d.requests.Load()
	before, err := s.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := pause(ctx, b.length); err != nil {
		return nil, err
	}
	after, err := s.usage()
	bytes, requests = d.bytes.Load()-bytes, d.requests.Load()-requests
	took := time.Since(began).Seconds()
	leave()
	all.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	used := after.since(before)
	return figures{
		cpuPerGB:       used.cpu.Seconds() / float64(bytes) * 1e9,
		cpuPerRequest:  used.cpu.Seconds() / float64(requests) * 1e6,
		"kB/response":  float64(bytes) / float64(requests) / 1e3,
		"GB/s":         float64(bytes) / took / 1e9,
		"core used":    used.cpu.Seconds() / took,
		"switches/req": float64(used.switches) / float64(requests),
	}, nil
}

// ask goes round the paths, from one of its own on.
func (d *demand) ask(ctx context.Context, addr string, paths []string, from int) error {
	w, err := dial(ctx, addr, 256<<10)
	if err != nil {
		return err
	}
	defer w.nc.Close()
	for i := from; ; i++ {
		path := paths[i%len(paths)]
		status, _, err := w.get(path, func(b []byte) { d.bytes.Add(int64(len(b))) })
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return &statusError{path, status}
		}
		d.requests.Add(1)
	}
}
