package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// monitor looks at the server while it works, and says when enemies may come.
type monitor struct {
	w             *world
	before, after sample
	samples       []sample
	attacked      atomic.Bool
	began         time.Time
	peak          sample // the most that there was of each, up to now
}

func newMonitor(w *world, before sample) *monitor {
	return &monitor{w: w, before: before, began: time.Now()}
}

// hostile tells whether it is the enemies' turn.
func (m *monitor) hostile() bool { return m.attacked.Load() }

// phase is how long the load is quiet, and hostile, by turns.
func (m *monitor) phase() time.Duration { return min(time.Minute, m.w.length/6) }

func (m *monitor) watch(ctx context.Context) {
	tick := time.NewTicker(min(10*time.Second, m.w.length/12))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			m.attacked.Store(false)
			return
		case <-tick.C:
		}
		hostile := int(time.Since(m.began)/m.phase())%2 == 1
		m.attacked.Store(hostile)
		m.w.delays.turn(hostile)
		s, err := m.w.server.sample(false)
		if err != nil {
			m.w.violate("N8", "no sample: %v", err)
			continue
		}
		m.samples = append(m.samples, s)
		if most := m.raise(s); s.rss > most {
			m.w.violate("N9", "%.1f MB resident, with %d streams, %.1f MB of windows and %d files the bound is %.1f MB",
				mb(s.rss), s.streams, mb(s.window), s.files, mb(most))
		}
	}
}

// raise returns what N9 allows, now that there is this. The system gets memory
// back minutes after it was free: what counts is the most that there was.
func (m *monitor) raise(s sample) int {
	m.peak.window, m.peak.streams, m.peak.files = max(m.peak.window, s.window), max(m.peak.streams, s.streams), max(m.peak.files, s.files)
	return m.bound(m.peak)
}

// bound is what N9 allows of that much.
func (m *monitor) bound(s sample) int {
	connections := max(0, s.files-m.before.files)
	return m.before.rss + s.window*13/10 + s.streams*2<<20 + connections*64<<10
}

// settle waits until all is as it was (N8), as long as that may take.
func (m *monitor) settle() {
	const patience = time.Minute
	if err := m.w.server.awaitNoStreams(context.Background()); err != nil {
		m.w.violate("N8", "%v", err)
	}
	deadline := time.Now().Add(patience)
	for {
		s, err := m.w.server.sample(true)
		if err != nil {
			m.w.violate("N8", "no sample: %v", err)
			return
		}
		m.after = s
		ok := s.goroutines <= m.before.goroutines+5 && s.files <= m.before.files && s.live <= m.before.live*11/10+1<<20
		if ok {
			return
		}
		if time.Now().After(deadline) {
			m.w.violate("N8", "%d goroutines, %d files, %.1f MB of heap are left; there were %d, %d, %.1f",
				s.goroutines, s.files, mb(s.live), m.before.goroutines, m.before.files, mb(m.before.live))
			return
		}
		time.Sleep(time.Second)
	}
}

// growth is by how much the resident memory grows, in MB an hour, and the standard error of
// that: memory that goes up and down with what streams hold seems to grow, too.
type growth struct{ slope, err float64 }

// sure tells whether it grows by more than that, MB an hour, and not by chance.
func (g growth) sure(more float64) bool { return g.slope-2*g.err >= more }

// growth is from a moment on, by least squares through the means of a dozen stretches: what is
// measured ten seconds later is nearly the same again, and says little of its own.
func (m *monitor) growth(from time.Duration) growth {
	const stretches = 12
	var hours, rss, n [stretches]float64
	if len(m.samples) == 0 {
		return growth{}
	}
	length := m.samples[len(m.samples)-1].at.Sub(m.began) - from
	for _, s := range m.samples {
		x := s.at.Sub(m.began)
		if x < from || length <= 0 {
			continue
		}
		i := min(int((x-from)*stretches/length), stretches-1)
		hours[i], rss[i], n[i] = hours[i]+x.Hours(), rss[i]+mb(s.rss), n[i]+1
	}
	var k, sx, sy float64
	for i := range stretches {
		if n[i] > 0 {
			hours[i], rss[i] = hours[i]/n[i], rss[i]/n[i]
			k, sx, sy = k+1, sx+hours[i], sy+rss[i]
		}
	}
	if k < 3 {
		return growth{}
	}
	var sxx, sxy, left float64
	for i := range stretches {
		if n[i] > 0 {
			dx := hours[i] - sx/k
			sxx, sxy = sxx+dx*dx, sxy+dx*(rss[i]-sy/k)
		}
	}
	slope := sxy / sxx
	for i := range stretches {
		if n[i] > 0 {
			d := rss[i] - sy/k - slope*(hours[i]-sx/k)
			left += d * d
		}
	}
	return growth{slope, math.Sqrt(left / (k - 2) / sxx)}
}

func mb(bytes int) float64 { return float64(bytes) / (1 << 20) }

// delays are how late parts came, in quiet times and in others.
type delays struct {
	mu      sync.Mutex
	hostile bool
	changed time.Time
	buckets [2][5000]int // milliseconds
	n       [2]int
}

func (d *delays) turn(hostile bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hostile != hostile {
		d.hostile, d.changed = hostile, time.Now()
	}
}

func (d *delays) add(delay time.Duration) {
	i := min(max(0, int(delay.Milliseconds())), len(d.buckets[0])-1)
	d.mu.Lock()
	defer d.mu.Unlock()
	which := 0
	if d.hostile {
		which = 1
	} else if time.Since(d.changed) < 3*time.Second {
		return // some of them are still at it
	}
	d.buckets[which][i]++
	d.n[which]++
}

// quantile is in milliseconds.
func (d *delays) quantile(which int, q float64) int {
	left := int(q * float64(d.n[which]))
	for i, n := range d.buckets[which] {
		if left -= n; left < 0 {
			return i
		}
	}
	return len(d.buckets[which])
}

func (d *delays) most(which int) int {
	for i, n := range slices.Backward(d.buckets[which][:]) {
		if n > 0 {
			return i
		}
	}
	return 0
}

// judge holds the delays together (N7).
func (m *monitor) judge() {
	const enough = 100
	d := &m.w.delays
	if d.n[0] < enough {
		return
	}
	quiet, hostile := d.quantile(0, 0.99), d.quantile(1, 0.99)
	if late := int(m.w.latest.Milliseconds()); quiet > late {
		m.w.violate("N6", "99 %% of the parts came within %d ms in quiet times, %d ms are allowed", quiet, late)
	}
	if d.n[1] >= enough && hostile >= quiet+50 {
		m.w.violate("N7", "99 %% of the parts came within %d ms in hostile times, and %d ms in quiet ones", hostile, quiet)
	}
}

// report says all, and judges what can only be judged now.
func (m *monitor) report(out io.Writer) {
	w := m.w
	settled := 15 * time.Minute
	judged := w.length >= 30*time.Minute
	if !judged {
		settled = w.length / 2
	}
	grows := m.growth(settled)
	if judged && grows.sure(1) {
		w.violate("N9", "resident memory grows by %.2f MB an hour, give or take %.2f", grows.slope, grows.err)
	}
	m.judge()
	p := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	p("# Soak of %v, seed %d", w.length, w.seed)
	p("")
	p("%d publishers × %.1f Mbit/s, cut every %v, %d viewers of LL-HLS, %d of DASH, %g %% hostile.", w.publishers, float64(w.bitrate)/1e6, w.cut, w.ll, w.dash, w.hostile)
	p("")
	p("| | |\n|---|---|")
	for _, what := range slices.Sorted(maps.Keys(w.count)) {
		p("| %s | %d |", what, w.count[what])
	}
	p("")
	p("| delay of parts, ms | parts | p50 | p99 | most |\n|---|---|---|---|---|")
	for i, name := range []string{"quiet", "hostile"} {
		p("| %s | %d | %d | %d | %d |", name, w.delays.n[i], w.delays.quantile(i, 0.5), w.delays.quantile(i, 0.99), w.delays.most(i))
	}
	p("")
	p("| server | RSS, MB | live heap, MB | goroutines | files | streams | windows, MB | bound of N9, MB |\n|---|---|---|---|---|---|---|---|")
	row := func(name string, s sample) {
		live := "-"
		if s.live > 0 {
			live = fmt.Sprintf("%.1f", mb(s.live))
		}
		p("| %s | %.1f | %s | %d | %d | %d | %.1f | %.1f |", name, mb(s.rss), live, s.goroutines, s.files, s.streams, mb(s.window), mb(m.bound(s)))
	}
	row("before", m.before)
	if n := len(m.samples); n > 0 {
		row("most", slices.MaxFunc(m.samples, func(a, b sample) int { return a.rss - b.rss }))
		row("in the middle", m.samples[n/2])
		row("last under load", m.samples[n-1])
	}
	row("after", m.after)
	p("| bound of N9 by the most of each | %.1f | | | %d | %d | %.1f | %.1f |", mb(m.bound(m.peak)), m.peak.files, m.peak.streams, mb(m.peak.window), mb(m.bound(m.peak)))
	p("")
	p("Slope of RSS from %v on: %.2f MB/h, standard error %.2f.", settled, grows.slope, grows.err)
	p("")
	if !w.broken() {
		p("No promise was broken.")
		return
	}
	p("## Broken promises\n")
	for _, promise := range slices.Sorted(maps.Keys(w.violations)) {
		p("- %s: %d times", promise, w.violations[promise])
	}
	p("")
	for _, text := range w.text {
		p("    %s", text)
	}
}
