//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what a run leaves, as JSON.
type report struct {
	When    time.Time `json:"when"`
	Machine string    `json:"machine"`
	Seconds float64   `json:"seconds_of_a_measurement"`
	Rows    []result  `json:"rows"`
}

// result is what was measured for a row.
type result struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Main    string   `json:"main"`
	Against []string `json:"against"`
	Series  []series `json:"series"`
}

// series is what was measured of a server with so many streams or viewers: a
// value for each round.
type series struct {
	Server  string               `json:"server"`
	Size    int                  `json:"size"`
	Figures map[string][]float64 `json:"figures"`
}

func (s *series) add(f figures) {
	for name, value := range f {
		s.Figures[name] = append(s.Figures[name], value)
	}
}

func newReport(b *bench) report {
	machine := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(text), "model name\t: "); ok {
			machine, _, _ = strings.Cut(after, "\n")
		}
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		machine += ", Linux " + strings.TrimSpace(string(kernel))
	}
	return report{When: time.Now().UTC().Truncate(time.Second), Machine: machine, Seconds: b.length.Seconds()}
}

func (r report) write(file string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func newResult(r row) result {
	of := result{Name: r.name, Title: r.title, Main: r.main, Against: r.against}
	for _, size := range r.sizes {
		for _, name := range r.peers {
			of.Series = append(of.Series, series{name, size, map[string][]float64{}})
		}
	}
	return of
}

// figures are those of a server by their name; none where it wasn't measured.
func (r result) figures(server string, size int, name string) []float64 {
	i := slices.IndexFunc(r.Series, func(s series) bool { return s.Server == server && s.Size == size })
	if i < 0 {
		return nil
	}
	return r.Series[i].Figures[name]
}

// ratio is the median of the rounds' ratios, so that what changed between rounds
// falls out; false where there is none.
func ratio(of, base []float64) (float64, bool) {
	if len(of) == 0 || len(of) != len(base) {
		return 0, false
	}
	ratios := make([]float64, len(of))
	for i := range of {
		ratios[i] = of[i] / base[i]
	}
	return median(ratios), true
}

func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(of))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// table is markdown: medians, how far rounds were apart in the main figure, and
// its ratios: with others of the same size and, where there are some, with the
// first size.
func (r result) table() string {
	rest := r.rest()
	sizes, _ := r.shape()
	head := []string{"server", "size", r.Main, "least–most"}
	for _, base := range r.Against {
		head = append(head, "× "+base)
	}
	head = append(head, rest...)
	if len(sizes) > 1 {
		head = append(head, fmt.Sprint("× size ", sizes[0]))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s: %s\n\n| %s |\n|---|%s\n", r.Name, r.Title, strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for _, s := range r.Series {
		of := s.Figures[r.Main]
		if len(of) == 0 {
			continue
		}
		cells := []string{s.Server, fmt.Sprint(s.Size), fmt.Sprintf("%.4g", median(of)), fmt.Sprintf("%.4g–%.4g", slices.Min(of), slices.Max(of))}
		for _, base := range r.Against {
			cells = append(cells, cell(ratio(of, r.figures(base, s.Size, r.Main))))
		}
		for _, name := range rest {
			cells = append(cells, fmt.Sprintf("%.4g", median(s.Figures[name])))
		}
		if len(sizes) > 1 {
			cells = append(cells, cell(ratio(of, r.figures(s.Server, sizes[0], r.Main))))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

func cell(ratio float64, ok bool) string {
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.2f", ratio)
}

// shape is what sizes and servers there are, in their order.
func (r result) shape() (sizes []int, servers []string) {
	for _, s := range r.Series {
		if !slices.Contains(sizes, s.Size) {
			sizes = append(sizes, s.Size)
		}
		if !slices.Contains(servers, s.Server) {
			servers = append(servers, s.Server)
		}
	}
	return sizes, servers
}

// rest are the names of all figures but the main one.
func (r result) rest() []string {
	names := map[string]bool{}
	for _, s := range r.Series {
		for name := range s.Figures {
			names[name] = true
		}
	}
	delete(names, r.Main)
	return slices.Sorted(maps.Keys(names))
}
