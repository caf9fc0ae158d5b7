// Package memory shares out the memory that windows may hold.
package memory

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

const (
	// Of what there is, windows may have windowShare percent: connections,
	// answers under way and what waits to be collected need the rest.
	windowShare = 60
	// From heapShare percent on, the collector works harder.
	heapShare = 90

	// One part in spareShare of the budget is for who has just come, and for what
	// grows between two looks.
	spareShare = 8

	// A stream of which nothing is known yet is counted with what it will have.
	youngReserve = 8 << 20
)

// Budget is how much windows may hold. Where it is scarce they get shorter, down
// to what players need; only publishers that have no room even for that are
// refused, or sent away, the youngest first.
type Budget struct {
	All, Stream int64 // bytes, of all streams and of one; All 0: whatever they want
	Segments    int   // that lists have, if there is room
}

// NewBudget returns what the configuration says, or a share of what the process may
// have.
func NewBudget(c config.Window) Budget {
	b := Budget{All: int64(c.MaxMemory), Stream: int64(c.MaxStreamMemory), Segments: c.Segments}
	if b.All == 0 {
		if have := availableMemory("/"); have < math.MaxInt64 {
			b.All = have / 100 * windowShare
		}
	}
	return b
}

// Claim is what a stream holds, in bytes, and what it would hold, by what is known
// of it, if its window were as short as players can bear, and as long as is
// configured.
type Claim struct {
	Stream            *packager.Stream
	Published         bool // somebody publishes it: else it keeps what it has
	held, least, full int64
	pinned            int64 // what slow viewers alone hold: windows have that much less
}

// ClaimOf looks at a stream that nobody publishes.
func (b Budget) ClaimOf(stream *packager.Stream) Claim {
	w := stream.Window()
	held := int64(w.Bytes())
	c := Claim{Stream: stream, held: held, least: held, full: held, pinned: int64(stream.Pinned())}
	if w.State == packager.Live { // its publisher is just being let in
		c.least += youngReserve
	}
	return c
}

// ClaimOfPublished looks at a stream whose publisher holds so many bytes beside the
// window.
func (b Budget) ClaimOfPublished(stream *packager.Stream, beside int64) Claim {
	w := stream.Window()
	c := Claim{Stream: stream, Published: true, held: int64(w.Bytes()), pinned: int64(stream.Pinned())}
	if c.least = w.Need(packager.LeastSegments); c.least == 0 {
		c.least = max(youngReserve, c.held)
	}
	c.full = max(c.least, w.Need(packager.WholeSegments(b.Segments)))
	c.held += beside
	beside += partInProduction(w)
	c.least, c.full = c.least+beside, c.full+beside
	return c
}

// partInProduction is what a part takes before it is closed.
func partInProduction(w *packager.Window) int64 {
	if w.TargetDuration == 0 {
		return 0
	}
	return w.Need(1) * w.PartTarget.Milliseconds() / (1000 * int64(w.TargetDuration))
}

// Divide shares the budget out to streams that somebody publishes, the oldest
// first. Each gets the least that it needs; of the rest all get as much, but none
// more than it can use while another can use it. away is how many of the youngest
// there is no room for.
func (b Budget) Divide(claims []Claim) (limits []int64, away int) {
	limits = make([]int64, len(claims))
	rest, publishers := b.All, 0
	for _, c := range claims {
		rest -= c.least
		if c.Published {
			publishers++
		}
	}
	for i := len(claims) - 1; i >= 0 && rest < 0 && b.All > 0; i-- {
		if claims[i].Published {
			rest += claims[i].least
			publishers--
			away++
		}
	}
	for _, c := range claims {
		rest -= c.pinned // no encoder is sent away for its viewers
	}
	rest = max(rest-b.All/spareShare, 0)
	// Whoever wants little is served first, and leaves more to the others.
	var wants []int
	for i, c := range claims {
		if c.Published && len(wants) < publishers {
			wants = append(wants, i)
		}
	}
	slices.SortStableFunc(wants, func(i, j int) int {
		return cmp.Compare(claims[i].full-claims[i].least, claims[j].full-claims[j].least)
	})
	for n, i := range wants {
		more := min(claims[i].full-claims[i].least, rest/int64(len(wants)-n))
		limits[i] = claims[i].least + more
		rest -= more
	}
	for _, i := range wants {
		limits[i] += rest / int64(len(wants))
		if b.All == 0 {
			limits[i] = math.MaxInt64
		}
		if b.Stream > 0 {
			limits[i] = min(limits[i], b.Stream)
		}
	}
	return limits, away
}

// Admits tells whether there is room for another publication of a stream: of all of it,
// or of one that joins those who publish it.
func (b Budget) Admits(claims []Claim, name packager.StreamName, joins bool) error {
	var total int64
	need := int64(youngReserve)
	for _, c := range claims {
		w := c.Stream.Window()
		total += c.pinned
		if w.Stream != name || joins {
			total += c.least
			continue
		}
		if !c.Published && b.Exceeded(w) {
			return b.TooLarge(w)
		}
		need = max(need, w.Need(packager.LeastSegments)) // it goes on with its window, which gets shorter
	}
	if b.All > 0 && total+need > b.All {
		return &metrics.Exceeded{Limit: metrics.Memory, Text: fmt.Sprintf("no memory for another stream: the shortest windows of all hold or will soon hold %v of %v; "+
			"lower bitrates, shorter keyframe intervals, a larger window.max_memory or more memory help", inMiB(total), inMiB(b.All))}
	}
	return nil
}

// Exceeded tells whether a window is larger than that of one stream may be, and
// can't be shorter. One whose lists will get shorter at their next segment has a
// quarter more.
func (b Budget) Exceeded(w *packager.Window) bool {
	n := int64(w.Bytes())
	return b.Stream > 0 && n > b.Stream && (w.Shortest() || n > b.Stream+b.Stream/4)
}

// TooLarge is the error for the publisher of such a window.
func (b Budget) TooLarge(w *packager.Window) error {
	return &metrics.Exceeded{Limit: metrics.StreamMemory, Text: fmt.Sprintf("the stream's window holds %v with as few segments as players need, window.max_stream_memory is %v: "+
		"lower the encoder's bitrate or its keyframe interval, or raise that", inMiB(int64(w.Bytes())), inMiB(b.Stream))}
}

// NoRoom is the error for a publisher that Divide has no room for.
func (b Budget) NoRoom(c Claim) error {
	return &metrics.Exceeded{Limit: metrics.Memory, Text: fmt.Sprintf("no memory for this stream beside those that were there before: its shortest window will hold %v, "+
		"all together have %v: lower bitrates, shorter keyframe intervals, a larger window.max_memory or more memory help", inMiB(c.least), inMiB(b.All))}
}

func inMiB(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// LimitHeap makes the collector work harder before the system ends us, where
// nobody has said GOMEMLIMIT.
func LimitHeap() {
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
