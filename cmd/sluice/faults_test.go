package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestFaults plays each row of the fault table by itself, again and again, for
// six virtual minutes (two under the race detector: make unit runs it without, too).
// TestSimulation mixes them.
func TestFaults(t *testing.T) {
	length := 6 * time.Minute
	if race {
		length = 2 * time.Minute
	}
	for _, row := range []struct{ name, faults string }{
		{"F1 F2 F3 the connection is lost at any byte and comes back", "cut"},
		{"F3 or too late", "long cut"},
		{"F4 F5 it is half open", "half-open"},
		{"F6 the network stalls, then all comes at once", "stall,rough network"},
		{"F7 the encoder falls silent", "silence"},
		{"F8 the clock leaps", "leap"},
		{"F8 the clock of one track leaps", "leap of one"},
		{"F8 a frame is astray", "stray"},
		{"F9 timestamps wrap", "wrap,24 bits"},
		{"F9 tracks have a base each", "two bases"},
		{"F10 clocks drift, and are set", "drift,clock step"},
		{"F10 the encoder pauses", "pause"},
		{"F29 pictures and sounds change", "new picture,new sound,same again"},
		{"F29 tracks come late, come and go", "late picture,late keyframe,other tracks,cut"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := chooseFaults(row.faults); err != nil {
				t.Fatal(err)
			}
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, 4711, length, row.faults) })
		})
	}
}
