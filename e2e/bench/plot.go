//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// plotCommand draws each row of a run as DIR/bench-ROW.svg.
func plotCommand(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench plot FILE DIR")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	for _, of := range r.Rows {
		file := filepath.Join(args[1], "bench-"+of.Name+".svg")
		if err := os.WriteFile(file, []byte(of.plot()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// The plot's measures, in pixels.
const (
	plotWidth = 720
	labels    = 150 // on the left
	margin    = 16
	barHeight = 22
	barGap    = 8
	lineArea  = 260
)

// svg is a drawing in the making.
type svg struct{ strings.Builder }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

func (s *svg) text(x, y float64, anchor, text string) {
	s.add(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(text))
}

// plot is bars where there is one size, and lines over sizes where there are some.
func (r result) plot() string {
	sizes, servers := r.shape()
	var body svg
	height := 0.0
	if len(sizes) > 1 {
		height = r.lines(&body, sizes, servers)
	} else {
		height = r.bars(&body)
	}
	var s svg
	s.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" font-family="sans-serif" font-size="13" fill="#222">`, plotWidth, height)
	s.add(`<rect width="100%%" height="100%%" fill="#fff"/>`)
	title := r.Title
	if len(sizes) == 1 && sizes[0] > 1 {
		title = fmt.Sprintf("%d %s", sizes[0], title)
	}
	s.text(margin, 22, "start", title)
	s.add(`<text x="%d" y="40" fill="#666">%s</text>`, margin, html.EscapeString(r.Main+"; less is better; median, and least to most"))
	return s.String() + body.String() + "</svg>\n"
}

const plotTop = 56 // below the title

// most is the largest value that is drawn.
func (r result) most() float64 {
	most := 0.0
	for _, s := range r.Series {
		for _, v := range s.Figures[r.Main] {
			most = max(most, v)
		}
	}
	return most
}

// colour sets us apart from others, and those from floors.
func colour(server string, i int) string {
	if strings.HasPrefix(server, "sluice") {
		return "#0a7d5a"
	}
	if strings.HasPrefix(server, "floor") {
		return []string{"#b0b0b0", "#8a8a8a", "#666666"}[i%3]
	}
	return []string{"#c8642a", "#3b6fb5", "#8d4aa8"}[i%3]
}

func (r result) bars(s *svg) (height float64) {
	scale := (plotWidth - labels - 90) / max(r.most(), 1e-12)
	y := float64(plotTop)
	for i, of := range r.Series {
		values := of.Figures[r.Main]
		if len(values) == 0 {
			continue
		}
		m := median(values)
		s.text(labels-8, y+barHeight/2+5, "end", of.Server)
		s.add(`<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>`, labels, y, max(0, m)*scale, barHeight, colour(of.Server, i))
		least, most := labels+max(0, slices.Min(values))*scale, labels+max(0, slices.Max(values))*scale
		s.add(`<path d="M%.1f %.1fH%.1f" stroke="#222"/>`, least, y+barHeight/2, most)
		s.text(most+6, y+barHeight/2+5, "start", fmt.Sprintf("%.3g", m))
		y += barHeight + barGap
	}
	return y + margin - barGap
}

// lines have a place for each size, equally far apart.
func (r result) lines(s *svg, sizes []int, servers []string) (height float64) {
	const left, right, bottom = 60, plotWidth - labels, plotTop + lineArea
	scale := lineArea / max(r.most(), 1e-12)
	x := func(i int) float64 { return left + float64(i)*float64(right-left-40)/float64(max(1, len(sizes)-1)) }
	s.add(`<path d="M%d %dV%dH%d" stroke="#999" fill="none"/>`, left, plotTop, bottom, right)
	s.text(left-6, plotTop+10, "end", fmt.Sprintf("%.2g", r.most()))
	s.text(left-6, bottom, "end", "0")
	for i, size := range sizes {
		s.text(x(i), bottom+18, "middle", fmt.Sprint(size))
	}
	for n, server := range servers {
		var points []string
		for i, size := range sizes {
			if values := r.figures(server, size, r.Main); len(values) > 0 {
				y := bottom - median(values)*scale
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(i), y))
				s.add(`<path d="M%.1f %.1fV%.1f" stroke="%s"/>`, x(i), bottom-slices.Min(values)*scale, bottom-slices.Max(values)*scale, colour(server, n))
			}
		}
		s.add(`<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`, strings.Join(points, " "), colour(server, n))
		s.add(`<rect x="%d" y="%d" width="12" height="12" fill="%s"/>`, right+8, plotTop+n*20, colour(server, n))
		s.text(right+26, float64(plotTop+n*20+11), "start", server)
	}
	return bottom + 18 + margin
}
