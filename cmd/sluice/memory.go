package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/metrics"
	"github.com/sluice-live/sluice/packager"
)

const (
	// Of what there is, windows may have windowShare percent: connections,
	// answers under way and what waits to be collected need the rest.
	windowShare = 60
	// From heapShare percent on, the collector works harder.
	heapShare = 90

	// A stream that has just begun is counted with what it will have.
	youth        = 30 * time.Second
	youngReserve = 8 << 20
)

// budget is how much windows may hold. Publishers that it has no room for are
// refused: those that are live go on.
type budget struct {
	all, stream int64 // bytes; all 0: whatever they want
}

func newBudget(c config.Window) budget {
	b := budget{all: int64(c.MaxMemory), stream: int64(c.MaxStreamMemory)}
	if b.all == 0 {
		if have := availableMemory("/"); have < math.MaxInt64 {
			b.all = have / 100 * windowShare
		}
	}
	return b
}

// overLimit is why a publisher is refused, or sent away.
type overLimit struct {
	what metrics.Refusal
	text string
}

func (e *overLimit) Error() string { return e.text }

// admits tells whether there is room for another publication of a stream.
// young is how many streams are so new that they will yet grow.
func (b budget) admits(streams []*packager.Stream, name packager.StreamName, young int) error {
	total := int64(young) * youngReserve
	for _, s := range streams {
		n := int64(s.Window().Bytes())
		if s.Window().Stream == name && b.exceeded(n) {
			return b.tooLarge(n)
		}
		total += n + int64(s.Pinned())
	}
	if b.all > 0 && total+youngReserve > b.all {
		return &overLimit{"memory", fmt.Sprintf("no memory for another stream: windows hold or will soon hold %v of %v; "+
			"fewer window.segments, lower bitrates or more memory help", inMiB(total), inMiB(b.all))}
	}
	return nil
}

// exceeded tells whether n bytes are more than one stream may hold.
func (b budget) exceeded(n int64) bool { return b.stream > 0 && n > b.stream }

func (b budget) tooLarge(n int64) error {
	return &overLimit{"stream_memory", fmt.Sprintf("the stream's window holds %v, window.max_stream_memory is %v: "+
		"lower its bitrate, or have fewer window.segments", inMiB(n), inMiB(b.stream))}
}

func inMiB(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// limitHeap makes the collector work harder before the system ends us, where
// nobody has said GOMEMLIMIT.
func limitHeap() {
	if have := availableMemory("/"); os.Getenv("GOMEMLIMIT") == "" && have < math.MaxInt64 {
		debug.SetMemoryLimit(have / 100 * heapShare)
	}
}

// availableMemory is what the process may have: the least of the machine's, its
// control groups' and GOMEMLIMIT. It is math.MaxInt64 where nothing is known.
// root is where /proc and /sys are.
func availableMemory(root string) int64 {
	have := int64(math.MaxInt64)
	if os.Getenv("GOMEMLIMIT") != "" {
		have = debug.SetMemoryLimit(-1)
	}
	if total := machineMemory(root); total > 0 {
		have = min(have, total)
	}
	for _, file := range groupFiles(root) {
		if n, err := strconv.ParseInt(firstLine(file), 10, 64); err == nil && n > 0 { // else "max"
			have = min(have, n)
		}
	}
	return have
}

func machineMemory(root string) int64 {
	text, _ := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(f[1], 10, 54)
			return kib << 10
		}
	}
	return 0
}

// groupFiles are where limits of the control group and those above it stand, of
// either version.
func groupFiles(root string) []string {
	const base = "sys/fs/cgroup"
	files := []string{filepath.Join(root, base, "memory.max"), filepath.Join(root, base, "memory/memory.limit_in_bytes")}
	text, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(text)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ; ok && path != "/" && path != "." && path != ""; path = filepath.Dir(path) {
			files = append(files, filepath.Join(root, base, path, "memory.max"))
		}
	}
	return files
}

func firstLine(file string) string {
	text, _ := os.ReadFile(file)
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}
