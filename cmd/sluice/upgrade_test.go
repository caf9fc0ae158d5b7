package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// asProgram in the environment lets the test binary be the program: an upgrade starts it
// again.
const asProgram = "RUN_AS_SLUICE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// serverProcess is a process of the server, and those that come behind it.
type serverProcess struct {
	*exec.Cmd
	program      string // where it is; "": it is the test binary
	rtmp, web    string
	rtmps, https string // "": there are none
	tls          *tls.Config
	log          *journal
	config       string
}

// until waits for a line of the log.
func (p *serverProcess) until(t *testing.T, text string, patience time.Duration) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(p.log.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q never came:\n%s", text, p.log)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newProgram(t *testing.T) *serverProcess {
	t.Helper()
	return &serverProcess{rtmp: freePort(t), web: freePort(t), log: new(journal), config: filepath.Join(t.TempDir(), "sluice.yaml")}
}

func startProgram(t *testing.T) *serverProcess {
	t.Helper()
	p := newProgram(t)
	p.start(t, "")
	return p
}

func (p *serverProcess) start(t *testing.T, more string) {
	t.Helper()
	p.write(t, more)
	p.Cmd = exec.Command(cmp.Or(p.program, os.Args[0]), "serve", "-config", p.config)
	p.Env = append(os.Environ(), asProgram+"=1")
	// A pipe that lives as long as the last of the processes.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stdout, p.Stderr = w, w
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	done := make(chan struct{})
	go func() { defer close(done); io.Copy(p.log, r) }()
	t.Cleanup(func() {
		for _, pid := range append(p.successors(), p.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = p.Wait()
		<-done
		r.Close()
		if t.Failed() {
			t.Log(p.log)
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		nc, err := net.Dial("tcp", p.web)
		if err == nil {
			nc.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it doesn't start: %v\n%s", err, p.log)
		}
	}
}

func (p *serverProcess) write(t *testing.T, more string) {
	t.Helper()
	pair := ""
	if dir := filepath.Dir(p.config); p.https != "" {
		pair = fmt.Sprintf(", tls_cert: %q, tls_key: %q", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	}
	text := fmt.Sprintf("rtmp: {addr: %q, tls_addr: %q%s}\nhttp: {addr: %q, tls_addr: %q, http3: %t%s}\nadmin: {addr: \"\"}\nwindow: {segment_min_duration: 1s, part_duration: 200ms, grace: 3s}\nlog: {format: json}\n%s",
		p.rtmp, p.rtmps, pair, p.web, p.https, p.https != "", pair, more)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var successorPID = regexp.MustCompile(`"pid":(\d+)`)

// successors are the processes that the log tells of.
func (p *serverProcess) successors() (pids []int) {
	for _, m := range successorPID.FindAllStringSubmatch(p.log.String(), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	return pids
}

// crowd is some encoders and a viewer of each, under which something happens.
type crowd struct {
	encoders []*marked
	mu       sync.Mutex
	found    map[string]int
	all      sync.WaitGroup
}

// gather lets n encoders publish, of which some move, and for each somebody watch.
func (p *serverProcess) gather(ctx context.Context, t *testing.T, n, moves, frames int, viewer *http.Client, web func(stream string) string) *crowd {
	head := clipBeginning(t)
	head = slices.DeleteFunc(head, func(tag flv.Tag) bool { return tag.Type != flv.TagVideo || tag.Body[1] != 0 })
	home := "rtmp://" + p.rtmp + "/live"
	if p.tls != nil {
		home = "rtmps://" + p.rtmps + "/live"
	}
	c := &crowd{found: make(map[string]int)}
	for i := range n {
		m := &marked{name: fmt.Sprintf("cam%02d", i), head: head, moves: i < moves, home: home, tls: p.tls.Clone()}
		c.encoders = append(c.encoders, m)
		c.all.Go(func() {
			mine := make(map[string]int)
			if err := watch(ctx, viewer, web("live/"+m.name), m.name, mine); err != nil {
				t.Errorf("a viewer of %s: %v", m.name, err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			for mark, n := range mine {
				c.found[mark] += n
			}
		})
		c.all.Go(func() {
			if err := m.push(ctx, m.home, frames); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		})
	}
	return c
}

func (p *serverProcess) gather20(ctx context.Context, t *testing.T, frames int) *crowd {
	return p.gather(ctx, t, 20, 10, frames, http.DefaultClient, func(string) string { return "http://" + p.web })
}

func (c *crowd) check(t *testing.T, moved bool) {
	t.Helper()
	c.all.Wait()
	http.DefaultClient.CloseIdleConnections()
	for _, m := range c.encoders {
		if m.moved != (m.moves && moved) {
			t.Errorf("%s moved: %v", m.name, m.moved)
		}
		var lost, doubled []int
		for n := range m.sent {
			switch c.found[fmt.Sprintf("<%s#%06d>", m.name, n)] {
			case 0:
				lost = append(lost, n)
			case 1:
			default:
				doubled = append(doubled, n)
			}
		}
		if len(lost)+len(doubled) > 0 {
			t.Errorf("%s: of %d access units are lost %v, doubled %v", m.name, m.sent, lost, doubled)
		}
	}
}

// Who asks for an upgrade while a new process is being started hears so: there is never a
// third process on the same sockets.
func TestUpgradeTwiceAtOnce(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	for range 5 {
		if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // signals don't queue
	}
	p.until(t, "a new process is being started already", 10*time.Second)
	p.until(t, "this process has no stream left", 15*time.Second)
}

// An upgrade starts what lies where the program was called, not what the old process is:
// also where that was moved aside, or a link leads elsewhere by now.
func TestUpgradeStartsWhatLiesThere(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	dir := filepath.Dir(p.config)
	itself, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	p.program = filepath.Join(dir, "current")
	if err := os.Symlink(itself, p.program); err != nil {
		t.Fatal(err)
	}
	p.start(t, "")
	next := filepath.Join(dir, "next")
	if err := os.WriteFile(next, []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, p.program); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	p.until(t, "it ended before it was ready: exit status 3", 10*time.Second)
}

// An upgrade under twenty encoders and their viewers: ten encoders come by another
// connection when they are asked to, ten end where they are. No access unit is lost or
// doubled, no playlist goes back, and no viewer sees an error. The old process ends by itself.
func TestUpgradeLosesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	p := startProgram(t)
	c := p.gather20(ctx, t, 225)
	time.Sleep(3 * time.Second)
	for _, name := range []string{"cam00", "cam19"} { // one that goes over, and one that stays
		c.all.Go(func() {
			if err := waitForEach(ctx, http.DefaultClient, "http://"+p.web+"/live/"+name+"/v1.m3u8"); err != nil {
				t.Errorf("who waits for each segment of %s: %v", name, err)
			}
		})
		c.all.Go(func() {
			if err := playToTheEnd(ctx, "rtmp://"+p.rtmp+"/live/"+name); err != nil {
				t.Errorf("who plays %s by RTMP: %v", name, err)
			}
		})
	}
	c.all.Go(func() {
		if err := playAnew(ctx, "rtmp://"+p.rtmp+"/live/cam01"); err != nil {
			t.Errorf("who plays cam01 by RTMP, and connects anew: %v", err)
		}
	})
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	p.until(t, "the new process serves", 10*time.Second)
	c.all.Go(func() { // its encoder stays with the old process
		if err := playNow(ctx, "rtmp://"+p.rtmp+"/live/cam18"); err != nil {
			t.Errorf("who begins to play cam18 by RTMP: %v", err)
		}
	})
	c.check(t, true)
	p.until(t, "this process has no stream left", 15*time.Second)
	if err := p.Wait(); err != nil {
		t.Errorf("the old process: %v", err)
	}
	answer, err := http.Get("http://" + p.web + "/")
	if err != nil || answer.StatusCode != 200 {
		t.Errorf("the new process: %v, %v", answer, err)
	} else {
		answer.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	for _, pid := range p.successors() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}

// waitForEach asks for each segment before it is there, until the stream ends. Segments
// last a second.
func waitForEach(ctx context.Context, viewer *http.Client, url string) error {
	for query := ""; ; {
		asked := time.Now()
		r, err := http.NewRequestWithContext(ctx, "GET", url+query, nil)
		if err != nil {
			return err
		}
		answer, err := viewer.Do(r)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		list, took := string(b), time.Since(asked)
		switch {
		case err != nil || answer.StatusCode != 200 || took > 3*time.Second:
			return fmt.Errorf("%s: %s after %v, %v", query, answer.Status, took, err)
		case strings.Contains(list, "#EXT-X-ENDLIST"):
			return nil
		}
		query = fmt.Sprintf("?_HLS_msn=%d", tagNumber(list, "#EXT-X-MEDIA-SEQUENCE")+len(mediaLine.FindAllString(list, -1)))
	}
}

// playToTheEnd plays by RTMP until the server says that no more comes.
func playToTheEnd(ctx context.Context, url string) error {
	r, err := client.DialReader(ctx, url, nil, client.Tells{Idle: 10 * time.Second})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		switch _, err := r.ReadTag(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// playNow plays what is in the process before the one that it comes to: each picture, to the end.
func playNow(ctx context.Context, url string) error {
	began := time.Now()
	r, err := client.DialReader(ctx, url, nil, client.Tells{Idle: 10 * time.Second})
	if err != nil {
		return err
	}
	defer r.Close()
	for pictures, last := 0, uint32(0); ; {
		tag, err := r.ReadTag()
		switch {
		case errors.Is(err, io.EOF) && pictures > 0:
			return nil
		case err != nil:
			return fmt.Errorf("behind %d pictures: %w", pictures, err)
		case tag.Type != flv.TagVideo || tag.Body[1] == 0:
			continue
		case pictures == 0 && (tag.Body[0]>>4 != 1 || time.Since(began) > 3*time.Second):
			return fmt.Errorf("the first picture comes after %v, and begins with %x", time.Since(began), tag.Body[:2])
		case pictures > 0 && tag.Timestamp-last > 100:
			return fmt.Errorf("%d ms from one picture to the next", tag.Timestamp-last)
		}
		pictures, last = pictures+1, tag.Timestamp
	}
}

// playAnew plays what goes over to another process, and there once more.
func playAnew(ctx context.Context, url string) error {
	if err := playToTheEnd(ctx, url); err != nil {
		return err
	}
	r, err := client.DialReader(ctx, url, nil, client.Tells{Idle: 10 * time.Second})
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.ReadTag()
	return err
}

// By TLS, HTTP/2 and HTTP/3, with passes, an upgrade is no other one: certificates are read
// again, and who was let in before it is let in behind it, whichever process has the stream.
func TestUpgradeEncrypted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	p := newProgram(t)
	p.rtmps, p.https, p.tls = freePort(t), freePort(t), &tls.Config{InsecureSkipVerify: true}
	dir := filepath.Dir(p.config)
	writeKeyPair(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	p.start(t, "watch: {token_keys: ["+someKey+"]}\n")
	transport := &http.Transport{TLSClientConfig: p.tls.Clone(), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	viewer := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	web := func(stream string) string { // with a pass
		var out bytes.Buffer
		if err := sign([]string{"-config", p.config, "-base", "https://" + p.https, stream}, nil, time.Now(), &out); err != nil {
			t.Fatal(err)
		}
		answer, err := viewer.Get(strings.Fields(out.String())[0])
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		_, pass, found := strings.Cut(answer.Header.Get("Location"), "/t/")
		if pass, _, _ = strings.Cut(pass, "/"); !found || answer.ProtoMajor != 2 {
			t.Fatalf("%s, by %s, to %q", answer.Status, answer.Proto, answer.Header.Get("Location"))
		}
		return "https://" + p.https + "/t/" + pass
	}
	c := p.gather(ctx, t, 2, 1, 200, viewer, web)
	passes := []string{web("live/cam00"), web("live/cam01")}
	byHTTP3 := func() {
		t.Helper()
		quic := &http3.Transport{TLSClientConfig: p.tls.Clone()}
		defer quic.Close()
		for i, base := range passes {
			r, _ := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/live/cam%02d/v1.m3u8", base, i), nil)
			answer, err := quic.RoundTrip(r)
			if err != nil {
				t.Fatalf("by HTTP/3: %v", err)
			}
			if answer.Body.Close(); answer.StatusCode != 200 || answer.ProtoMajor != 3 {
				t.Errorf("by HTTP/3: %s, by %s", answer.Status, answer.Proto)
			}
		}
	}
	playing := &http3.Transport{TLSClientConfig: p.tls.Clone()}
	defer playing.Close()
	for i, base := range passes {
		by3 := &http.Client{Transport: playing}
		c.all.Go(func() {
			if err := watch(ctx, by3, base, fmt.Sprintf("cam%02d", i), make(map[string]int)); err != nil {
				t.Errorf("who plays cam%02d by HTTP/3: %v", i, err)
			}
		})
		c.all.Go(func() {
			time.Sleep(2 * time.Second)
			if err := waitForEach(ctx, by3, fmt.Sprintf("%s/live/cam%02d/v1.m3u8", base, i)); err != nil {
				t.Errorf("who waits by HTTP/3 for each segment of cam%02d: %v", i, err)
			}
		})
	}
	time.Sleep(3 * time.Second)
	byHTTP3()
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	p.until(t, "the new process serves", 10*time.Second)
	byHTTP3()
	c.check(t, true)
	p.until(t, "this process has no stream left", 15*time.Second)
	if err := p.Wait(); err != nil {
		t.Errorf("the old process: %v", err)
	}
	byHTTP3()
	for _, pid := range p.successors() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
}

// Reading the configuration again under the same crowd changes nothing for anybody.
func TestReloadLosesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	p := startProgram(t)
	c := p.gather20(ctx, t, 125)
	time.Sleep(2 * time.Second)
	p.write(t, "publish: {from: [any]}\nwatch: {from: [loopback]}\n")
	for range 3 {
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	p.until(t, "the configuration was read again: who may publish", 5*time.Second)
	c.check(t, false)
	_ = p.Process.Signal(syscall.SIGTERM)
}

// Where the new process can't serve, the old one goes on, and says why.
func TestUpgradeFails(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	p.write(t, "no_such_setting: 1\n")
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	p.until(t, "the upgrade failed: this process serves on", 10*time.Second)
	if log := p.log.String(); !regexp.MustCompile(`"error":"it ended before it was ready: exit status 1: .*no_such_setting`).MatchString(log) {
		t.Errorf("the reason isn't in the log:\n%s", log)
	}
	answer, err := http.Get("http://" + p.web + "/")
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("the old process: %v, %v", answer, err)
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	// Mended, it succeeds; and where the new one dies while the old one has streams yet, the
	// old one serves again.
	p.write(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	head := clipBeginning(t)
	head = slices.DeleteFunc(head, func(tag flv.Tag) bool { return tag.Type != flv.TagVideo || tag.Body[1] != 0 })
	m := &marked{name: "cam00", head: head, home: "rtmp://" + p.rtmp + "/live"}
	pushed := make(chan struct{})
	go func() { defer close(pushed); _ = m.push(ctx, m.home, 1000) }()
	p.until(t, `"message":"publishing"`, 10*time.Second)
	if err := p.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	p.until(t, "the new process serves", 10*time.Second)
	pids := p.successors()
	_ = syscall.Kill(pids[len(pids)-1], syscall.SIGKILL)
	p.until(t, "the new process is gone: this one serves again", 10*time.Second)
	if answer, err = http.Get("http://" + p.web + "/live/cam00/v1.m3u8"); err != nil || answer.StatusCode != 200 {
		t.Fatalf("the old process, again: %v, %v", answer, err)
	}
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	<-pushed
}
