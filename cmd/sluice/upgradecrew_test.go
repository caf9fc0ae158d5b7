package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Several encoders of one stream go over together, also where others may stand by for them: no
// access unit of two qualities is lost that move at the same keyframe, and no viewer sees an error.
func TestUpgradeSeveralEncoders(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p := newProgram(t)
	p.start(t, "abr: {suffixes: [_hi, _lo]}\npublish: {backup: true}\n")
	head := clipBeginning(t)
	head = slices.DeleteFunc(head, func(tag flv.Tag) bool { return tag.Type != flv.TagVideo || tag.Body[1] != 0 })
	var all sync.WaitGroup
	var mu sync.Mutex
	found := make(map[string]int)
	var encoders []*marked
	push := func(name string) {
		m := &marked{name: name, head: head, moves: true, home: "rtmp://" + p.rtmp + "/live"}
		encoders = append(encoders, m)
		all.Go(func() {
			if err := m.push(ctx, m.home, 175); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	push("cam_hi")
	time.Sleep(markedFrame) // it is behind, as by a network
	push("cam_lo")
	push("desk")
	for _, r := range [][2]string{{"cam", "v1_hi"}, {"cam", "v1_lo"}, {"desk", "v1"}} {
		all.Go(func() {
			mine := make(map[string]int)
			if err := watchRendition(ctx, http.DefaultClient, "http://"+p.web+"/live/"+r[0]+"/", r[1], mine); err != nil {
				t.Errorf("a viewer of %s: %v", r, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for mark, n := range mine {
				found[mark] += n
			}
		})
	}
	time.Sleep(2 * time.Second)
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	p.until(t, "the new process serves", 10*time.Second)
	all.Wait()
	http.DefaultClient.CloseIdleConnections()
	for _, m := range encoders {
		var lost, doubled []int
		for n := range m.sent {
			switch found[fmt.Sprintf("<%s#%06d>", m.name, n)] {
			case 0:
				lost = append(lost, n)
			case 1:
			default:
				doubled = append(doubled, n)
			}
		}
		if !m.moved || len(lost)+len(doubled) > 0 {
			t.Errorf("%s moved: %v; of %d access units are lost %v, doubled %v", m.name, m.moved, m.sent, lost, doubled)
		}
	}
	p.until(t, "this process has no stream left", 10*time.Second)
	if err := p.Wait(); err != nil {
		t.Errorf("the old process: %v", err)
	}
	for _, pid := range p.successors() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}
