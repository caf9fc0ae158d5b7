//go:build linux

package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestPlots(t *testing.T) {
	for _, sizes := range [][]int{{20}, {20, 100}} {
		r := newResult(row{name: "r", title: "less < more", main: "ms", sizes: sizes, peers: []string{"sluice", "nginx&co", "floor-c"}})
		for i := range r.Series[:2] { // the floor failed
			r.Series[i].add(figures{"ms": float64(i + 1)})
			r.Series[i].add(figures{"ms": float64(i + 3)})
		}
		text := r.plot()
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
		}
		for _, want := range []string{">sluice<", ">nginx&amp;co<", "less &lt; more"} {
			if !strings.Contains(text, want) {
				t.Errorf("%v: %s isn't in\n%s", sizes, want, text)
			}
		}
	}
}
