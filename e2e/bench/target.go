//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// target is what a figure of ours may be at most, and what we would have it be.
type target struct {
	what      string
	row       string
	size      int
	figure    string // the row's main one where empty
	base      string // the server to divide by; none where empty
	baseSize  int    // of the same server, instead
	most, aim float64
}

var targets = []target{
	{what: "CPU per stream, 20 × 6 Mbit/s, against the Go floor", row: "ingest-heavy", size: 20, base: "floor-go", most: 1.3, aim: 0.7},
	{what: "CPU per stream, 100 × 0.8 Mbit/s, against the Go floor", row: "ingest-light", size: 100, base: "floor-go", most: 1.3, aim: 0.7},
	{what: "CPU per stream, 20 × 6 Mbit/s, against nginx-rtmp, TS + DASH", row: "ingest-heavy", size: 20, base: "nginx-ts+dash", most: 0.75, aim: 0.4},
	{what: "CPU per stream, 100 × 0.8 Mbit/s, against nginx-rtmp, TS + DASH", row: "ingest-light", size: 100, base: "nginx-ts+dash", most: 0.75, aim: 0.4},
	{what: "CPU per GB, segments of 1.5 MB, against nginx with files", row: "segments", size: 8, base: "nginx-files", most: 1.1, aim: 0.8},
	{what: "CPU per playlist, against nginx with a file", row: "playlists", size: 16, base: "nginx-files", most: 2, aim: 1.3},
	{what: "RSS per stream less 2 MB, against the bytes of its window", row: "memory", size: 20, figure: rssPerWindow, most: 1.3, aim: 1.1},
	{what: "CPU per stream, 500 publishers against 20", row: "growth", size: 500, baseSize: 20, most: 1.15, aim: 1},
	{what: "p99 from a part's last frame to the part, 100 publishers, 500 viewers, ms", row: "latency", size: 500, most: 20, aim: 8},
	{what: "start of the process to accepting connections, ms", row: "start", size: 1, most: 50, aim: 15},
}

// value is what a server has; false where it wasn't measured.
func (t target) value(rows []result, server string) (float64, bool) {
	i := slices.IndexFunc(rows, func(r result) bool { return r.Name == t.row })
	if i < 0 {
		return 0, false
	}
	r := rows[i]
	name := t.figure
	if name == "" {
		name = r.Main
	}
	of := r.figures(server, t.size, name)
	switch {
	case len(of) == 0:
		return 0, false
	case t.base != "":
		return ratio(of, r.figures(t.base, t.size, name))
	case t.baseSize > 0:
		return ratio(of, r.figures(server, t.baseSize, name))
	}
	return median(of), true
}

func (t target) verdict(value float64) string {
	switch {
	case value <= t.aim:
		return "as we would have it"
	case value <= t.most:
		return "met"
	}
	return "missed"
}

// verdicts is a table of all targets that were measured of a server.
func verdicts(rows []result, server string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %s | measured | target | aim | |\n|---|---:|---:|---:|---|\n", server)
	n := 0
	for _, t := range targets {
		if value, ok := t.value(rows, server); ok {
			fmt.Fprintf(&b, "| %s | %.2f | ≤ %g | ≤ %g | %s |\n", t.what, value, t.most, t.aim, t.verdict(value))
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return b.String()
}
