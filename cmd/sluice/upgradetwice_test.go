package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// One upgrade behind another: the second is started by the process that came by the first.
// No access unit is lost or doubled, no viewer sees an error, and both old processes end.
func TestUpgradeTwice(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	p := startProgram(t)
	c := p.gather(ctx, t, 6, 6, 400, http.DefaultClient, func(string) string { return "http://" + p.web })
	var mu sync.Mutex
	parts := make(map[string]int)
	for _, m := range c.encoders[:3] {
		c.all.Go(func() {
			mine := make(map[string]int)
			if err := watchParts(ctx, "http://"+p.web+"/live/"+m.name+"/", mine); err != nil {
				t.Errorf("who plays %s by its parts: %v", m.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(parts, mine)
		})
	}
	time.Sleep(3 * time.Second)
	pid := p.Process.Pid
	for n := 1; n <= 2; n++ {
		if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(15 * time.Second); strings.Count(p.log.String(), "this process has no stream left") < n; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the upgrade number %d isn't over:\n%s", n, p.log)
			}
		}
		pids := p.successors()
		if len(pids) != n {
			t.Fatalf("the upgrade number %d: the processes are %d", n, pids)
		}
		pid = pids[n-1]
	}
	c.check(t, true)
	for _, m := range c.encoders[:3] {
		for n := range m.sent {
			if mark := fmt.Sprintf("<%s#%06d>", m.name, n); parts[mark] != 1 {
				t.Errorf("%s is in %d parts", mark, parts[mark])
			}
		}
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the first process: %v", err)
	}
	if log := p.log.String(); strings.Contains(log, `"level":"error"`) {
		t.Errorf("something went wrong:\n%s", log)
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	p.until(t, `"message":"stopping`, 10*time.Second)
}

// Where the new process dies, the old one serves again by all ways, by HTTP/3, too; and the
// next upgrade succeeds.
func TestUpgradeAfterOneThatDied(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	p := newProgram(t)
	p.rtmps, p.https, p.tls = freePort(t), freePort(t), &tls.Config{InsecureSkipVerify: true}
	dir := filepath.Dir(p.config)
	writeKeyPair(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	p.start(t, "")
	viewer := &http.Client{Transport: &http.Transport{TLSClientConfig: p.tls.Clone()}}
	defer viewer.CloseIdleConnections()
	byHTTP3 := func(when string) {
		t.Helper()
		quic := &http3.Transport{TLSClientConfig: p.tls.Clone()}
		defer quic.Close()
		r, _ := http.NewRequestWithContext(ctx, "GET", "https://"+p.https+"/live/cam00/v1.m3u8", nil)
		answer, err := quic.RoundTrip(r)
		if err != nil {
			t.Fatalf("by HTTP/3, %s: %v", when, err)
		}
		if answer.Body.Close(); answer.StatusCode != 200 {
			t.Errorf("by HTTP/3, %s: %s", when, answer.Status)
		}
	}
	c := p.gather(ctx, t, 1, 0, 300, viewer, func(string) string { return "https://" + p.https })
	time.Sleep(3 * time.Second)
	byHTTP3("before")
	for n := 1; n <= 2; n++ {
		if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); strings.Count(p.log.String(), "the new process serves") < n; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the upgrade number %d failed:\n%s", n, p.log)
			}
		}
		byHTTP3("from the new process")
		if n == 1 {
			_ = syscall.Kill(p.successors()[0], syscall.SIGKILL)
			p.until(t, "the new process is gone: this one serves again", 10*time.Second)
			byHTTP3("from the old process again")
		}
	}
	c.check(t, false)
	p.until(t, "this process has no stream left", 15*time.Second)
	_ = syscall.Kill(p.successors()[1], syscall.SIGTERM)
}

var (
	partLine = regexp.MustCompile(`(?m)^#EXT-X-PART:.*URI="([^"]+)"`)
	hintLine = regexp.MustCompile(`(?m)^#EXT-X-PRELOAD-HINT:.*URI="([^"]+)"`)
)

// watchParts downloads each part of a stream until it ends, as players do that are near
// live: it asks for the one that is hinted at before it is there. It counts the marks.
func watchParts(ctx context.Context, base string, found map[string]int) error {
	get := func(path string) (int, string, error) {
		r, err := http.NewRequestWithContext(ctx, "GET", base+path, nil)
		if err != nil {
			return 0, "", err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		return answer.StatusCode, string(b), err
	}
	have := make(map[string]bool)
	take := func(part string, listed bool) error {
		if have[part] {
			return nil
		}
		code, media, err := get(part)
		if code == 404 && !listed {
			return nil // the encoder was gone before it was made
		}
		if err != nil || code != 200 {
			return fmt.Errorf("%s is answered with %d, %v", part, code, err)
		}
		have[part] = true
		for _, mark := range unitMark.FindAllString(media, -1) {
			found[mark]++
		}
		return nil
	}
	for begun := false; ; {
		code, list, err := get("v1.m3u8")
		switch {
		case err != nil:
			return err
		case code == 404 && !begun:
			time.Sleep(50 * time.Millisecond)
			continue
		case code != 200:
			return fmt.Errorf("the playlist is answered with %d", code)
		}
		begun = true
		for _, m := range partLine.FindAllStringSubmatch(list, -1) {
			if err := take(m[1], true); err != nil {
				return err
			}
		}
		if strings.Contains(list, "#EXT-X-ENDLIST") {
			return nil
		}
		if m := hintLine.FindStringSubmatch(list); m != nil {
			if err := take(m[1], false); err != nil {
				return fmt.Errorf("what is hinted at: %w", err)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}
