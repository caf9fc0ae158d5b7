//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// These tests besiege a server in a process of its own, so that its memory and
// descriptors can be measured and limited. They are small by default; with
// SLUICE_ATTACK=1 (make attack) they have the figures of the fault table.

// quietly leaves a siege to the run without the race detector, which make unit
// has behind the one with it: by that one, what a process costs says nothing.
// TestF26Crowd is in both.
func quietly(t *testing.T) {
	t.Helper()
	if race {
		t.Skip("its figures say nothing under the race detector: make unit runs it without, too")
	}
}

// siege chooses between the two.
func siege(small, full int) int {
	if os.Getenv("SLUICE_ATTACK") != "" {
		return full
	}
	return small
}

const (
	besiegedEnv    = "SLUICE_BESIEGED"     // flags of the child, one a line
	descriptorsEnv = "SLUICE_BESIEGED_FDS" // what it has left once it listens
)

// TestBesieged is the child.
func TestBesieged(t *testing.T) {
	flags, ok := os.LookupEnv(besiegedEnv)
	if !ok {
		t.Skip("the server of the tests of a siege")
	}
	collectOften()
	cfg, _, err := config.Load(strings.Split(flags, "\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := listen(cfg, logger(cfg.Log, os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(os.Getenv(descriptorsEnv)); err == nil {
		limit := syscall.Rlimit{Cur: uint64(n), Max: uint64(n)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("\nbesieged %v %v\n", a.ports.Addr.RTMP, a.ports.Addr.HTTP)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		io.Copy(io.Discard, os.Stdin) // until the parent is gone
		stop()
	}()
	if err := a.run(ctx); err != nil {
		t.Error(err)
	}
}

// castle is the child, seen by its parent.
type castle struct {
	t                 testing.TB
	rtmp, http, admin string
	pid               int
	base              int // bytes of heap without a stream
	log               *journal
}

func besiege(t testing.TB, env []string, flags ...string) *castle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &castle{t: t, admin: l.Addr().String(), log: new(journal)}
	l.Close()
	flags = append([]string{"-rtmp-addr=127.0.0.1:0", "-http-addr=127.0.0.1:0", "-admin-addr=" + c.admin, "-log-format=json"}, flags...)
	cmd := exec.Command(os.Args[0], "-test.run=^TestBesieged$", "-test.v")
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(os.Environ(), besiegedEnv+"="+strings.Join(flags, "\n")), env...)
	cmd.Stderr = c.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.pid = cmd.Process.Pid
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "besieged" {
			c.rtmp, c.http = f[1], f[2]
			break
		}
	}
	if c.rtmp == "" {
		cmd.Process.Kill()
		t.Fatalf("the server didn't start:\n%s", c.log)
	}
	rest := make(chan bool)
	go func() { io.Copy(io.Discard, out); close(rest) }()
	t.Cleanup(func() {
		in.Close()
		kill := time.AfterFunc(15*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		<-rest
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v:\n%.4000s", err, c.log)
		}
	})
	return c
}

// state is what the server has and holds.
type state struct {
	rss, heap       int // bytes; heap is what is in use behind a collection, where it was weighed
	may             int // bytes that the heap may have, as N8 and N9 of docs/security.md have it
	goroutines, fds int
}

func (s state) String() string {
	return fmt.Sprintf("%6.1f MB RSS, %6.1f MB heap (of %.1f), %6d goroutines, %6d descriptors",
		float64(s.rss)/1e6, float64(s.heap)/1e6, float64(s.may)/1e6, s.goroutines, s.fds)
}

func (c *castle) state() (s state) {
	c.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		c.t.Fatal(err)
	}
	kib, _ := strconv.Atoi(string(regexp.MustCompile(`VmRSS:\s+(\d+)`).FindSubmatch(status)[1]))
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.pid))
	s.rss, s.fds = kib<<10, len(files)
	text := c.admits("/metrics")
	s.goroutines = number(text, `(?m)^go_goroutines (\S+)`)
	return s
}

// weighed is the state with the heap, for which the server has to collect.
func (c *castle) weighed() state {
	c.t.Helper()
	s := c.state()
	s.heap = number(c.admits("/debug/pprof/heap?gc=1&debug=1"), `# HeapAlloc = (\d+)`)
	var list struct{ Streams []struct{ Bytes int } }
	if err := json.Unmarshal(c.admits("/api/v1/streams"), &list); err != nil {
		c.t.Fatal(err)
	}
	s.may = c.base * 110 / 100
	for _, stream := range list.Streams {
		s.may += stream.Bytes*130/100 + 2<<20
	}
	return s
}

// admits is what the server tells its operators.
func (c *castle) admits(path string) []byte {
	c.t.Helper()
	r, err := http.Get("http://" + c.admin + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// number is the one that a pattern finds, or 0.
func number(text []byte, pattern string) int {
	found := regexp.MustCompile(pattern).FindSubmatch(text)
	if found == nil {
		return 0
	}
	f, _ := strconv.ParseFloat(string(found[1]), 64)
	return int(f)
}

// rehearse has a few come before those that count, so that what a server makes
// once is there, and measures the heap that it has then.
func (c *castle) rehearse(addr, first string) {
	c.t.Helper()
	before := c.state()
	conns := crowdOf(c.t, 50, addr, first)
	eventually(c.t, "they are in", func() bool { return c.state().fds >= before.fds+len(conns)/2 })
	closeAll(conns)
	eventually(c.t, "they are gone", func() bool { return c.state().fds <= before.fds+1 })
	c.base = c.weighed().heap
}

// relieved waits until what a siege by n took is given back, and returns the
// state then and how long the heap took.
func (c *castle) relieved(before state, n int) (s state, took time.Duration) {
	c.t.Helper()
	// Go keeps a goroutine's descriptor and a map's size for the next crowd:
	// about 650 bytes for each connection that there was at once.
	const kept = 1 << 10
	eventually(c.t, "all are gone", func() bool { s := c.state(); return s.fds <= before.fds+5 && s.goroutines <= before.goroutines+20 })
	const most = time.Minute
	for began := time.Now(); ; time.Sleep(time.Second) {
		s, took = c.weighed(), time.Since(began).Round(time.Second)
		s.may += n * kept
		if s.heap <= s.may {
			return s, took
		}
		if took > most {
			c.t.Errorf("N8: %v behind the siege, %.1f MB of heap are in use, and may be %.1f", took, float64(s.heap)/1e6, float64(s.may)/1e6)
			return s, took
		}
	}
}

// publish sends the clip, at its own pace, until the test ends or the server
// doesn't take it any more, which failed returns.
func (c *castle) publish(name string) (failed func() error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- publishClip(ctx, "rtmp://"+c.rtmp+"/"+name) }()
	c.t.Cleanup(func() { stop(); <-done; close(done) })
	return func() error {
		select {
		case err := <-done:
			done <- err
			return fmt.Errorf("the publisher ended: %v", err)
		default:
			return nil
		}
	}
}

// playable waits until a stream can be watched.
func (c *castle) playable(name string) {
	c.t.Helper()
	eventually(c.t, name+" can be watched", func() bool {
		r, err := http.Get("http://" + c.http + "/" + name + "/index.m3u8")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// answers asks on a connection of its own, again and again, and returns how
// long it took in the worst of 100 cases but one, and whether all went well.
func (c *castle) answers(addr, ask, want string) (time.Duration, error) {
	var took []time.Duration
	for range 100 {
		began := time.Now()
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, err
		}
		nc.SetDeadline(began.Add(10 * time.Second))
		io.WriteString(nc, ask)
		b := make([]byte, len(want))
		_, err = io.ReadFull(nc, b)
		nc.Close()
		if err != nil || string(b) != want {
			return 0, fmt.Errorf("%q, %w", b, err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)-2], nil
}

// crowdOf opens n connections at once, a few at a time.
func crowdOf(t testing.TB, n int, addr, first string) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for i := next.Add(1) - 1; int(i) < n; i = next.Add(1) - 1 {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				io.WriteString(nc, first)
				conns[i] = nc
			}
		})
	}
	all.Wait()
	return conns
}

func closeAll(conns []net.Conn) {
	for _, nc := range conns {
		if nc != nil {
			nc.Close()
		}
	}
}

// TestF21Idle: thousands of idle connections cost little, and nobody waits for
// them. They end in their time.
func TestF21Idle(t *testing.T) {
	quietly(t)
	n := siege(500, 10000)
	const shaken = 1 + 1536 // C0 and C1
	for _, row := range []struct {
		name, port, first string
		ask, want         string
	}{
		{"RTMP, silent", "rtmp", "", "\x03" + strings.Repeat("\x00", shaken-1), "\x03"},
		{"RTMP, half a handshake", "rtmp", "\x03" + strings.Repeat("\x00", shaken-1), "\x03" + strings.Repeat("\x00", shaken-1), "\x03"},
		{"HTTP, half a header", "http", "GET / HTTP/1.1\r\n", "GET /live/cam1/index.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
		{"HTTP, idle behind an answer", "http", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /live/cam1/index.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
	} {
		t.Run(row.name, func(t *testing.T) {
			// A server of its own: what one row leaves to the collector is
			// not the next one's.
			c := besiege(t, nil, "-rtmp-max-connections=2000", "-http-max-connections=2000", "-"+row.port+"-max-connections=12000",
				"-rtmp-handshake-timeout=60s", "-log-level=error")
			addr := map[string]string{"rtmp": c.rtmp, "http": c.http}[row.port]
			c.rehearse(addr, row.first)
			failed := c.publish("live/cam1")
			c.playable("live/cam1")
			before := c.weighed()
			conns := crowdOf(t, n, addr, row.first)
			eventually(t, "all are in", func() bool { return c.state().fds >= before.fds+n*9/10 })
			during := c.weighed()
			worst, err := c.answers(addr, row.ask, row.want)
			closeAll(conns)
			after, took := c.relieved(before, n)
			each := (during.rss - before.rss) / n
			t.Logf("F21 %s × %d: %d bytes each; another is answered in %v (99 %%)\n  before %v\n  during %v\n  after  %v, in %v",
				row.name, n, each, worst.Round(10*time.Microsecond), before, during, after, took)
			if err != nil || worst > 50*time.Millisecond && n > 1000 {
				t.Errorf("another waits %v, %v", worst, err)
			}
			if each > 64<<10 && n > 1000 { // less is noise
				t.Errorf("%d bytes each", each)
			}
			if err := failed(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestF26Crowd: all publishers of a network that was down come back within a
// second, and so do all viewers of a stream.
func TestF26Crowd(t *testing.T) {
	publishers, viewers := siege(50, 1000), siege(300, 10000)
	c := besiege(t, nil, "-rtmp-max-connections=2000", "-http-max-connections=12000", "-log-level=error")
	c.rehearse(c.http, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	failed := c.publish("live/cam1")
	c.playable("live/cam1")
	before := c.weighed()
	// within spreads f over a second, and returns when the last was done and
	// the errors.
	within := func(n int, f func(i int) error) (time.Duration, []error) {
		began := time.Now()
		var mu sync.Mutex
		var errs []error
		var all sync.WaitGroup
		for i := range n {
			time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(n))))
			all.Go(func() {
				if err := f(i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		return time.Since(began), errs
	}
	check := func(what string, n int, took time.Duration, errs []error) {
		t.Helper()
		t.Logf("F26 %d %s in a second: all served after %v\n  before %v\n  during %v", n, what, took.Round(time.Millisecond), before, c.weighed())
		if len(errs) > 0 {
			t.Errorf("%d of %d %s failed, the first: %v", len(errs), n, what, errs[0])
		}
		if err := failed(); err != nil {
			t.Error(err)
		}
	}
	tags := clipBeginning(t)
	encoders := make([]*client.Publisher, publishers)
	took, errs := within(publishers, func(i int) (err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if encoders[i], err = client.Dial(ctx, fmt.Sprintf("rtmp://%s/live/many%d", c.rtmp, i), nil); err != nil {
			return err
		}
		for _, tag := range tags {
			if err := encoders[i].WriteTag(tag); err != nil {
				return err
			}
		}
		return nil
	})
	check("publishers", publishers, took, errs)
	for _, e := range encoders {
		if e != nil {
			e.Close()
		}
	}
	took, errs = within(viewers, func(int) error {
		nc, err := net.Dial("tcp", c.http)
		if err != nil {
			return err
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(30 * time.Second))
		in := bufio.NewReader(nc)
		for _, path := range []string{"/live/cam1/index.m3u8", "/live/cam1/v1.m3u8"} {
			io.WriteString(nc, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				return err
			}
			io.Copy(io.Discard, r.Body)
			if r.StatusCode != http.StatusOK {
				return fmt.Errorf("%s: %s", path, r.Status)
			}
		}
		return nil
	})
	check("viewers", viewers, took, errs)
	after, relief := c.relieved(before, max(publishers, viewers))
	t.Logf("F26 after  %v, in %v", after, relief)
}

// clipBeginning is the first second of the clip.
func clipBeginning(t testing.TB) (tags []flv.Tag) {
	t.Helper()
	r, err := flv.NewReader(bytes.NewReader(clip))
	if err != nil {
		t.Fatal(err)
	}
	for {
		tag, err := r.ReadTag()
		if err != nil || tag.Timestamp >= 1000 {
			return tags
		}
		tag.Body = bytes.Clone(tag.Body)
		tags = append(tags, tag)
	}
}

// TestF28Descriptors: without a descriptor for another connection, live streams
// go on, and when there are some again, so does everything.
func TestF28Descriptors(t *testing.T) {
	quietly(t)
	const left = 40
	c := besiege(t, []string{descriptorsEnv + "=" + strconv.Itoa(left)})
	failed := c.publish("live/cam1")
	c.playable("live/cam1")
	viewer, err := net.Dial("tcp", c.http) // who is in stays in
	if err != nil {
		t.Fatal(err)
	}
	defer viewer.Close()
	newest := func() string {
		r := get(t, viewer, "/live/cam1/v1.m3u8")
		text, _ := io.ReadAll(r.Body)
		return string(text)
	}
	then := newest()
	conns := crowdOf(t, 2*left, c.http, "")
	eventually(t, "the log says so", func() bool { return strings.Contains(c.log.String(), `"what":"accept"`) })
	began := time.Now()
	eventually(t, "the live stream goes on", func() bool { now := newest(); return now != then })
	time.Sleep(time.Until(began.Add(1500 * time.Millisecond)))
	if err := failed(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(c.log.String(), `"what":"accept"`); n > 3 {
		t.Errorf("%d lines in the log about one thing", n)
	}
	closeAll(conns)
	if worst, err := c.answers(c.http, "GET /live/cam1/index.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"); err != nil || worst > 2*longestPause {
		t.Errorf("with descriptors again: %v after %v", err, worst)
	}
	if err := failed(); err != nil {
		t.Error(err)
	}
}

// longestPause is how long a door rests at most when there are no descriptors.
const longestPause = time.Second

// TestF28MemoryLimit: publishers that there is no memory for are refused with a
// reason, those that are live go on.
func TestF28MemoryLimit(t *testing.T) {
	quietly(t)
	c := besiege(t, []string{"GOMEMLIMIT=64MiB"})
	failed := c.publish("live/cam1")
	c.playable("live/cam1")
	refused := ""
	for i := range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		p, err := client.Dial(ctx, fmt.Sprintf("rtmp://%s/live/more%d", c.rtmp, i), nil)
		cancel()
		if err != nil {
			refused = err.Error()
			break
		}
		defer p.Abort()
	}
	if !strings.Contains(refused, "no memory for another stream") {
		t.Errorf("the one too many hears %q", refused)
	}
	if err := failed(); err != nil {
		t.Error(err)
	}
	r, err := http.Get("http://" + c.admin + "/api/v1/streams")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var list struct{ Streams []struct{ Name string } }
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil || len(list.Streams) < 3 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestF35Health: while strangers hold connections to both listeners with bodies
// that never come, or with nothing at all, who asks whether the server lives is
// answered. They end within seconds.
func TestF35Health(t *testing.T) {
	quietly(t)
	n := siege(100, 2000)
	c := besiege(t, nil, "-http-max-connections=12000", "-log-level=error")
	failed := c.publish("live/cam1")
	c.playable("live/cam1")
	for _, row := range []struct{ name, addr, first string }{
		{"bodies of OPTIONS, to operators", c.admin, "OPTIONS /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"},
		{"bodies to /healthz", c.admin, "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"silence, to operators", c.admin, ""},
		{"bodies of OPTIONS, to viewers", c.http, "OPTIONS / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"},
		{"bodies of GET, to viewers", c.http, "GET /live/cam1/index.m3u8 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := c.state()
			conns := crowdOf(t, n, row.addr, row.first)
			worst, err := c.answers(c.admin, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 OK")
			if err != nil || worst > time.Second {
				t.Errorf("whether it lives is answered in %v, %v", worst, err)
			}
			began := time.Now()
			eventually(t, "they are gone", func() bool { return c.state().fds <= before.fds+5 })
			took := time.Since(began)
			closeAll(conns)
			t.Logf("F35 %s × %d: health answers in %v (99 %%), they are gone after another %v", row.name, n, worst.Round(10*time.Microsecond), took.Round(10*time.Millisecond))
			if err := failed(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestF34Siege: viewers who take a little now and then, hundreds of streams
// to a connection, keep what left the window for a bounded time, and all of it
// is told to operators.
func TestF34Siege(t *testing.T) {
	quietly(t)
	const (
		bitrate = 16_000_000
		timeout = 5 * time.Second
		piece   = 256 << 10
		each    = 4 * time.Second
	)
	long := time.Duration(siege(0, 100)) * time.Second
	if long == 0 {
		t.Skip("takes two minutes (make attack): TestF34SlowViewers is the same in fake time")
	}
	c := besiege(t, nil, "-window-segments=3", "-window-segment-min-duration=1s", "-http-write-timeout=5s", "-http-max-connections=2000", "-log-level=error")
	c.rehearse(c.http, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	failed := c.publishHeavy("live/cam1", bitrate)
	c.playable("live/cam1")
	newest := func() string {
		r, err := http.Get("http://" + c.http + "/live/cam1/v1.m3u8")
		if err != nil {
			return ""
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(r.Body)
		all := regexp.MustCompile(`(?m)^v1/.*m4s$`).FindAllString(string(text), -1)
		if len(all) < 3 {
			return ""
		}
		return "/live/cam1/" + all[len(all)-1]
	}
	eventually(t, "there is a segment", func() bool { return newest() != "" })
	before := c.weighed()
	ctx, stop := context.WithCancel(t.Context())
	var viewers sync.WaitGroup
	given := new(atomic.Int64)
	for range 3 {
		viewers.Go(func() { c.sip(ctx, 100, piece, each, newest, given) })
	}
	for i := range 50 {
		viewers.Go(func() {
			time.Sleep(time.Duration(i) * each / 10)
			c.sipAlone(ctx, piece, each, newest)
		})
	}
	most, rss, pinned := 0, 0, 0
	for began := time.Now(); time.Since(began) < long; time.Sleep(time.Second) {
		s := c.weighed()
		pinned = number(c.admits("/metrics"), `(?m)^sluice_pinned_bytes (\S+)`)
		most, rss = max(most, pinned), max(rss, s.rss)
		if s.heap > s.may+353*(64<<10) {
			t.Errorf("N9: after %v, %.1f MB of heap are in use, and may be %.1f", time.Since(began).Round(time.Second), float64(s.heap)/1e6, float64(s.may)/1e6)
		}
	}
	during := c.weighed()
	stop()
	viewers.Wait()
	after, took := c.relieved(before, 400)
	// What a viewer has when it leaves the window, and two segments of rounding.
	bound := int((timeout + 2*time.Second).Seconds() * bitrate / 8)
	t.Logf("F34 300 streams of HTTP/2 and 50 connections that take %d KiB each %v of a stream of %d Mbit/s, for %v: pinned at most %.1f MB (of %.1f), RSS at most %.1f MB, %d answers given up\n  before %v\n  during %v\n  after  %v, in %v",
		piece>>10, each, bitrate/1_000_000, long, float64(most)/1e6, float64(bound)/1e6, float64(rss)/1e6, given.Load(), before, during, after, took)
	if most > bound || most == 0 {
		t.Errorf("%d bytes are pinned, may be %d", most, bound)
	}
	if given.Load() == 0 {
		t.Error("nobody is given up")
	}
	if n := number(c.admits("/metrics"), `(?m)^sluice_pinned_bytes (\S+)`); n != 0 {
		t.Errorf("when they are gone, %d bytes are pinned", n)
	}
	if err := failed(); err != nil {
		t.Error(err)
	}
}

// sip has that many requests under way on one connection of HTTP/2, and takes a
// piece of each now and then. given counts those that the server ends.
func (c *castle) sip(ctx context.Context, requests, piece int, each time.Duration, newest func() string, given *atomic.Int64) {
	nc, err := net.Dial("tcp", c.http)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	defer nc.Close()
	p := newH2Peer(nc)
	var mu sync.Mutex
	open := make(map[uint32]bool)
	next := uint32(1)
	p.WriteWindowUpdate(0, 1<<30)
	fill := func() {
		path := newest()
		mu.Lock()
		defer mu.Unlock()
		for s := range open {
			p.WriteWindowUpdate(s, uint32(piece))
		}
		// A few at a time, so that each has another segment.
		for few := 0; len(open) < requests && path != "" && few < requests/10; few++ {
			open[next] = true
			p.get(next, path)
			next += 2
		}
	}
	go func() {
		for ctx.Err() == nil {
			fill()
			time.Sleep(each)
		}
	}()
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return
		}
		h := f.Header()
		_, reset := f.(*http2.RSTStreamFrame)
		if _, ok := f.(*http2.DataFrame); ok && h.Length > 0 {
			mu.Lock()
			p.WriteWindowUpdate(0, h.Length)
			mu.Unlock()
		}
		if reset || h.Flags.Has(http2.FlagDataEndStream) && h.Type != http2.FrameSettings && h.Type != http2.FramePing {
			mu.Lock()
			delete(open, h.StreamID)
			mu.Unlock()
			if reset {
				given.Add(1)
			}
		}
	}
}

// sipAlone does the same by HTTP/1.1, on one connection after the other.
func (c *castle) sipAlone(ctx context.Context, piece int, each time.Duration, newest func() string) {
	for ctx.Err() == nil {
		nc, err := net.Dial("tcp", c.http)
		if err != nil {
			return
		}
		nc.(*net.TCPConn).SetReadBuffer(4 << 10)
		io.WriteString(nc, "GET "+newest()+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		for ctx.Err() == nil {
			if _, err := io.ReadFull(nc, make([]byte, piece)); err != nil {
				break
			}
			select {
			case <-time.After(each):
			case <-ctx.Done():
			}
		}
		nc.Close()
	}
}

// publishHeavy is publish with frames that are filled up to a bitrate.
func (c *castle) publishHeavy(name string, bitrate int) (failed func() error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			p, err := client.Dial(ctx, "rtmp://"+c.rtmp+"/"+name, nil)
			if err != nil {
				return err
			}
			defer p.Close()
			r, err := flv.NewReader(bytes.NewReader(clip))
			if err != nil {
				return err
			}
			var tags []flv.Tag
			for tag, err := r.ReadTag(); err == nil; tag, err = r.ReadTag() {
				tag.Body = bytes.Clone(tag.Body)
				tags = append(tags, tag)
			}
			frames := 0
			for _, tag := range tags {
				if tag.Type == flv.TagVideo {
					frames++
				}
			}
			// A NAL unit of filler data.
			filler := make([]byte, bitrate/8*int(clipLength/time.Millisecond)/1000/frames)
			binary.BigEndian.PutUint32(filler, uint32(len(filler)-4))
			filler[4] = 12
			for i := range filler[5:] {
				filler[5+i] = 0xff
			}
			began := time.Now()
			for loop := 0; ; loop++ {
				for _, tag := range tags {
					at := time.Duration(loop)*clipLength + time.Duration(tag.Timestamp)*time.Millisecond
					tag.Timestamp = uint32(at.Milliseconds())
					if tag.Type == flv.TagVideo && tag.Body[1] == 1 {
						tag.Body = append(tag.Body[:len(tag.Body):len(tag.Body)], filler...)
					}
					select {
					case <-time.After(time.Until(began.Add(at))):
					case <-ctx.Done():
						return nil
					}
					if err := p.WriteTag(tag); err != nil && ctx.Err() == nil {
						return err
					}
				}
			}
		}()
	}()
	c.t.Cleanup(func() { stop(); <-done; close(done) })
	return func() error {
		select {
		case err := <-done:
			done <- err
			return fmt.Errorf("the publisher ended: %v", err)
		default:
			return nil
		}
	}
}
