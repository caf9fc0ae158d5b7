//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRatiosAreOfRounds(t *testing.T) {
	r := newResult(row{name: "r", title: "t", main: "ms", peers: []string{"a", "b", "c"}, against: []string{"b"}, sizes: []int{2, 4}})
	// The machine was slower in the second round, for both.
	for _, round := range [][3]float64{{1, 2, 3}, {10, 20, 30}, {1.5, 2, 4.5}} {
		r.Series[0].add(figures{"ms": round[0], "MB": 7})
		r.Series[1].add(figures{"ms": round[1], "MB": 8})
		r.Series[3].add(figures{"ms": round[2], "MB": 9})
	}
	if got, ok := ratio(r.figures("a", 2, "ms"), r.figures("b", 2, "ms")); !ok || got != 0.5 {
		t.Errorf("ratio %v, %v", got, ok)
	}
	if _, ok := ratio(r.figures("c", 2, "ms"), r.figures("b", 2, "ms")); ok {
		t.Error("what was not measured has a ratio")
	}
	for _, want := range []string{
		"| server | size | ms | least–most | × b | MB | × size 2 |",
		"| a | 2 | 1.5 | 1–10 | 0.50 | 7 | 1.00 |",
		"| b | 2 | 2 | 2–20 | 1.00 | 8 | 1.00 |",
		"| a | 4 | 4.5 | 3–30 | – | 9 | 3.00 |",
	} {
		if text := r.table(); !strings.Contains(text, want+"\n") {
			t.Errorf("%q isn't in%s", want, text)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v is %v", c.of, got)
		}
	}
}

func TestDelays(t *testing.T) {
	var d delays
	if d.quantile(0.99) != 0 {
		t.Error("nothing took time")
	}
	for i := range 100 {
		d.add(time.Duration(i) * time.Millisecond)
	}
	d.add(time.Hour) // counts as the most that there is
	for q, want := range map[float64]float64{0.5: 50.1, 0.99: 99.1, 1: 2000} {
		if got := d.quantile(q); got != want {
			t.Errorf("%g are within %g ms, want %g", q, got, want)
		}
	}
}

func TestChooseRows(t *testing.T) {
	b := bench{peers: []peer{sluice("sluice", "x"), sluice("other", "y"), nginxTS, nginxBoth, goroutineFloor, roundsFloor, cFloor}}
	rows, err := b.choose("ingest-light", "", b.peers[:2])
	if err != nil || len(rows) != 1 || strings.Join(rows[0].peers[:2], " ") != "sluice other" {
		t.Errorf("%v, %v", rows, err)
	}
	if rows, err = b.choose("ingest-heavy,latency", "other,floor-c", b.peers[:2]); err != nil || len(rows) != 2 ||
		strings.Join(rows[0].peers, " ") != "other floor-c" || strings.Join(rows[1].peers, " ") != "other" {
		t.Errorf("%v, %v", rows, err)
	}
	for _, wrong := range [][2]string{{"nonsense", ""}, {"ingest-heavy", "nonsense"}, {"latency", "floor-c"}} {
		if _, err := b.choose(wrong[0], wrong[1], b.peers[:2]); err == nil {
			t.Errorf("%q is no mistake", wrong)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, goal := range targets {
		if !slices.ContainsFunc(allRows(), func(r row) bool {
			return r.name == goal.row && slices.Contains(r.sizes, goal.size) && (goal.base == "" || slices.Contains(r.peers, goal.base))
		}) {
			t.Errorf("%s: no row measures it", goal.what)
		}
	}
	rows := []result{newResult(row{name: "growth", main: cpuPerStream, sizes: []int{20, 500}, peers: []string{"sluice"}})}
	rows[0].Series[0].add(figures{cpuPerStream: 2})
	rows[0].Series[1].add(figures{cpuPerStream: 2.2})
	if text := verdicts(rows, "sluice"); !strings.Contains(text, "500 publishers against 20 | 1.10 | ≤ 1.15 | ≤ 1 | met |\n") || strings.Count(text, "\n") != 4 {
		t.Error(text)
	}
	if text := verdicts(rows, "other"); text != "" {
		t.Error(text)
	}
}
