//go:build linux

package main

import (
	"os"
	"testing"
	"time"
)

func TestParseProc(t *testing.T) {
	stat := "42 (a) name (b) S 1 42 42 0 -1 4194560 100 200 3 4 321 55 6 7 20 0 1 0 900 1000 2000"
	if user, err := parseUser(stat); err != nil || user != 3210*time.Millisecond {
		t.Errorf("user time %v, %v", user, err)
	}
	if _, err := parseUser("42 (name) S 1"); err == nil {
		t.Error("a short line has a user time")
	}
	status := "Name:\tx\nVmRSS:\t    1234 kB\nvoluntary_ctxt_switches:\t56\nnonvoluntary_ctxt_switches:\t7\n"
	for name, want := range map[string]int{"VmRSS": 1234, "voluntary_ctxt_switches": 56, "nonvoluntary_ctxt_switches": 7, "VmHWM": 0} {
		if got := parseStatus(status, name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
}

// What this process uses is seen.
func TestUsage(t *testing.T) {
	before, err := readUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const busy = 50 * time.Millisecond
	for end := before.cpu + busy; ; {
		now, err := readUsage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now.cpu >= end && now.rss > 1<<20 && now.switches >= before.switches {
			return
		}
	}
}

func TestCores(t *testing.T) {
	own, err := ownCores()
	if err != nil {
		t.Fatal(err)
	}
	var c cores
	c.add(3)
	c.add(70)
	if !c.has(3) || !c.has(70) || c.has(4) {
		t.Errorf("%b has 3 and 70", c)
	}
	if c.remove(3); c.has(3) || own == (cores{}) {
		t.Errorf("%b has no 3; this thread is on %b", c, own)
	}
}
