package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
)

// Over a reload and an upgrade, a web service that can't be reached meanwhile is told all that
// happens to each stream: in order, once, by one id, and as if there were one process.
func TestUpgradeKeepsHooksInOrder(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var mu sync.Mutex
	told := make(map[string][]admin.Event)
	ids := make(map[string]string) // what an id has told
	var away atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var says struct{ Data admin.Event }
		if err := json.NewDecoder(r.Body).Decode(&says); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		id, text := r.Header.Get("webhook-id"), fmt.Sprintf("%+v", says.Data)
		if before, ok := ids[id]; ok && before != text {
			t.Errorf("%s is %s, and was %s", id, text, before)
		}
		ids[id] = text
		if away.Load() {
			w.WriteHeader(503)
			return
		}
		told[says.Data.Stream] = append(told[says.Data.Stream], says.Data)
	}))
	defer service.Close()
	p := newProgram(t)
	set := "hooks: {urls: [" + service.URL + "], events: [published, unpublished, ready, lost, back, ended]}\n"
	p.start(t, set)
	c := p.gather(ctx, t, 3, 3, 250, http.DefaultClient, func(string) string { return "http://" + p.web })
	time.Sleep(3 * time.Second)
	away.Store(true)
	p.write(t, strings.Replace(set, "urls: [", "urls: [http://127.0.0.1:1/, ", 1))
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.until(t, "the configuration was read again", 5*time.Second)
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	p.until(t, "this process has no stream left", 20*time.Second)
	time.Sleep(2 * time.Second)
	away.Store(false)
	c.check(t, true)
	const want = "published ready unpublished published unpublished ended"
	for _, m := range c.encoders {
		stream := "live/" + m.name
		got := ""
		for end := time.Now().Add(40 * time.Second); got != want && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			mu.Lock()
			var kinds []string
			for _, e := range told[stream] {
				kinds = append(kinds, string(e.Kind))
			}
			if !slices.IsSortedFunc(told[stream], func(a, b admin.Event) int { return a.At.Compare(b.At) }) {
				t.Errorf("%s: not in order", stream)
			}
			mu.Unlock()
			got = strings.Join(kinds, " ")
		}
		if got != want {
			t.Errorf("%s: %s; want %s", stream, got, want)
		}
	}
	for _, pid := range p.successors() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}
