package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	startTimeout = 10 * time.Second // of the server, until /readyz says so
	stopTimeout  = 10 * time.Second // from SIGTERM to the exit
	fetchTimeout = 15 * time.Second // longer than the server holds a request

	artifactsDir = "artifacts"
)

// binary is the server, clipDir has the source clips: made once per run.
var binary, clipDir string

// childAttr and killChild are better where the operating system can tie a
// child to our life.
var (
	childAttr *syscall.SysProcAttr
	killChild = (*os.Process).Kill
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	flag.Parse()
	// Tests wait for media to pass, not for the processor: with the default,
	// the number of processors, they would wait for each other instead. Those that wait
	// for the stage take a place, too.
	if !isSet("test.parallel") {
		flag.Set("test.parallel", "18")
	}
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	binary, clipDir = filepath.Join(dir, "sluice"), dir
	if err := build(binary); err != nil {
		return complain(err)
	}
	if err := errors.Join(os.RemoveAll(artifactsDir), os.MkdirAll(artifactsDir, 0o755)); err != nil {
		return complain(err)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			return complain(err)
		}
	}
	return code
}

func isSet(name string) bool {
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

func build(to string) error {
	args := []string{"build", "-o", to}
	if os.Getenv("SLUICE_E2E_RACE") != "" {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "../cmd/sluice")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build ./cmd/sluice: %w\n%s", err, out)
	}
	return nil
}

// environment is ours without what would configure a child: proxies, and the
// server's own variables, of which it rejects those it doesn't know.
func environment(extra ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "SLUICE_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			env = append(env, kv)
		}
	}
	return append(env, extra...)
}

// debian names the package that has a program or a GStreamer element.
var debian = map[string]string{
	"chromium":        "chromium",
	"firefox-esr":     "firefox-esr",
	"ffmpeg":          "ffmpeg",
	"ffprobe":         "ffmpeg",
	"gst-inspect-1.0": "gstreamer1.0-tools",
	"mpv":             "mpv",
	"gst-launch-1.0":  "gstreamer1.0-tools",
	"nginx":           "nginx-light",
	"obs":             "obs-studio",
	"openssl":         "openssl",
	"cvlc":            "vlc-bin vlc-plugin-base",
	"curl":            "curl",
	"caddy":           "caddy",
	"rtmpdump":        "rtmpdump",
	"varnishd":        "varnish",
	"WebKitWebDriver": "webkit2gtk-driver",
	"xmllint":         "libxml2-utils",
	"xvfb-run":        "xvfb",

	"avdec_h264": "gstreamer1.0-libav",
	"flvmux":     "gstreamer1.0-plugins-good",
	"rtmp2sink":  "gstreamer1.0-plugins-bad",
	"rtmp2src":   "gstreamer1.0-plugins-bad",
	"rtmpsink":   "gstreamer1.0-plugins-bad",
	"rtmpsrc":    "gstreamer1.0-plugins-bad",
	"voaacenc":   "gstreamer1.0-plugins-bad",
	"x264enc":    "gstreamer1.0-plugins-ugly",
}

// needs fails the test when a program is missing.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%s is not installed, and this test is nothing without it: apt-get install %s", p, debian[p])
		}
	}
}

// needsElements fails the test when a part of GStreamer is missing.
func needsElements(t testing.TB, elements ...string) {
	t.Helper()
	needs(t, "gst-launch-1.0", "gst-inspect-1.0")
	for _, e := range elements {
		if _, err := tool(t, 20*time.Second, "gst-inspect-1.0", "--exists", e); err != nil {
			t.Fatalf("GStreamer has no %s, and this test is nothing without it: apt-get install %s", e, debian[e])
		}
	}
}

// artifact is the path of a file that is kept after the run.
func artifact(t testing.TB, name string) string {
	return filepath.Join(artifactsDir, strings.ReplaceAll(t.Name(), "/", "_")+"-"+name)
}

func keep(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(artifact(t, name), data, 0o644); err != nil {
		t.Error(err)
	}
}

// eventually asks again and again until there is no error, and fails the test
// with the last one when time is up.
func eventually(t testing.TB, patience time.Duration, what string, ask func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
	}
}

// ---- children ----

// output collects what a child writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is the end of it, for messages.
func (o *output) tail() string {
	const most = 6000
	s := o.String()
	return s[max(0, len(s)-most):]
}

// child is a program under way.
type child struct {
	name   string
	cmd    *exec.Cmd
	output output
	exited chan struct{} // closed when it has; err is set then
	err    error
}

// start runs a program until it exits or the test ends.
func start(t testing.TB, name string, args ...string) *child {
	t.Helper()
	return startWith(t, nil, name, args...)
}

// startWith does so with more in its environment.
func startWith(t testing.TB, env []string, name string, args ...string) *child {
	t.Helper()
	c := &child{name: filepath.Base(name), cmd: exec.Command(name, args...), exited: make(chan struct{})}
	c.cmd.Env = environment(env...)
	c.cmd.Dir = clipDir
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	c.cmd.SysProcAttr = childAttr
	c.cmd.WaitDelay = time.Second // for grandchildren that hold the pipes
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	t.Cleanup(func() {
		if c.running() {
			killChild(c.cmd.Process)
		}
		<-c.exited
		if t.Failed() {
			t.Logf("%s %s wrote:\n%s", c.name, strings.Join(c.cmd.Args[1:], " "), c.output.tail())
		}
	})
	return c
}

// wait fails the test when the child fails or takes too long.
func (c *child) wait(t testing.TB, patience time.Duration) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		t.Fatalf("%s did not end within %v", c.name, patience)
	}
	if c.err != nil {
		t.Fatalf("%s: %v\n%s", c.name, c.err, c.output.tail())
	}
}

func (c *child) running() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// tool runs a program to its end and returns what it wrote on its standard output.
func tool(t testing.TB, patience time.Duration, name string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environment()
	cmd.SysProcAttr = childAttr
	cmd.Cancel = func() error { return killChild(cmd.Process) }
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		err = fmt.Errorf("killed after %v", patience)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return out, err
}

// ffmpegPublish starts ffmpeg; args are everything but its own manners.
func ffmpegPublish(t testing.TB, args ...string) *child {
	t.Helper()
	needs(t, "ffmpeg")
	return start(t, "ffmpeg", append([]string{"-nostdin", "-hide_banner", "-loglevel", "warning"}, args...)...)
}

// pushClip publishes a clip at its own pace, as it is. limit may be 0.
func (s *server) pushClip(t testing.TB, clip, stream string, limit time.Duration) *child {
	t.Helper()
	args := []string{"-re", "-i", clip, "-c", "copy"}
	if limit > 0 {
		args = append(args, "-t", fmt.Sprint(limit.Seconds()))
	}
	return ffmpegPublish(t, append(args, "-f", "flv", s.rtmpURL(stream))...)
}

// pushClipLoop publishes a clip again and again, until the test ends.
func (s *server) pushClipLoop(t testing.TB, clip, stream string) *child {
	t.Helper()
	return ffmpegPublish(t, "-stream_loop", "-1", "-re", "-i", clip, "-c", "copy", "-f", "flv", s.rtmpURL(stream))
}

// ---- the server ----

// server is a server under test.
type server struct {
	*child
	rtmp, http, admin string // HOST:PORT
	args, env         []string
	client            *http.Client
	stopping          bool
}

// startServer runs the server until the test ends, and then checks that it
// stops as it should.
func startServer(t testing.TB, flags ...string) *server {
	t.Helper()
	return startServerWith(t, nil, flags...)
}

// startServerWith does so with more in its environment.
func startServerWith(t testing.TB, env []string, flags ...string) *server {
	t.Helper()
	s := &server{
		env:  env,
		rtmp: freeAddr(t), http: freeAddr(t), admin: freeAddr(t),
		client: newClient(),
	}
	s.args = append([]string{"-rtmp-addr", s.rtmp, "-http-addr", s.http, "-admin-addr", s.admin, "-log-format", "json"}, flags...)
	s.run(t)
	t.Cleanup(func() {
		s.stop(t)
		s.client.CloseIdleConnections()
		keep(t, "server.log", []byte(s.output.String()))
	})
	return s
}

// crash ends the server as nobody should, and starts it again; meanwhile is what is
// done while it is away.
func (s *server) crash(t testing.TB, meanwhile ...func()) {
	t.Helper()
	killChild(s.cmd.Process)
	<-s.exited
	for _, do := range meanwhile {
		do()
	}
	s.run(t)
	t.Cleanup(func() { s.stop(t) }) // before the new child's own
}

func (s *server) run(t testing.TB) {
	t.Helper()
	s.child = startWith(t, s.env, binary, s.args...)
	eventually(t, startTimeout, "the server is ready", func() error {
		if !s.running() {
			t.Fatalf("the server exited: %v\n%s", s.err, s.output.tail())
		}
		r, err := s.fetch(t.Context(), http.MethodGet, "http://"+s.admin+"/readyz", nil)
		if err != nil {
			return err
		}
		return r.is(http.StatusOK)
	})
}

// stop ends the server as an operator does. It may be called more than once.
func (s *server) stop(t testing.TB) {
	t.Helper()
	if s.stopping {
		return
	}
	if !s.running() {
		t.Errorf("the server was gone before the end: %v", s.err)
		return
	}
	begin := time.Now()
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.stopped(t, begin)
}

// stopped waits for the exit that a signal at begin asked for, and checks it.
func (s *server) stopped(t testing.TB, begin time.Time) {
	t.Helper()
	s.stopping = true
	timer := time.NewTimer(time.Until(begin.Add(stopTimeout)))
	defer timer.Stop()
	select {
	case <-s.exited:
	case <-timer.C:
		t.Errorf("the server still runs %v after SIGTERM", stopTimeout)
		s.cmd.Process.Signal(syscall.SIGQUIT) // it says what it is doing
		<-s.exited
		return
	}
	if s.err != nil {
		t.Errorf("the server's exit after SIGTERM: %v", s.err)
	}
	t.Logf("the server stopped %v after SIGTERM", time.Since(begin).Round(time.Millisecond))
	for line := range strings.Lines(s.output.String()) {
		if strings.Contains(line, `"level":"error"`) || strings.Contains(line, "DATA RACE") || strings.HasPrefix(line, "panic:") {
			t.Errorf("the server's log: %s", line)
		}
	}
}

func (s *server) rtmpURL(stream string) string { return "rtmp://" + s.rtmp + "/" + stream }
func (s *server) url(path string) string       { return "http://" + s.http + "/" + path }

// ports hands out ports below those that the kernel gives to outgoing
// connections, each once.
var ports = struct {
	sync.Mutex
	next int
}{next: 20000 + os.Getpid()%10000}

func freeAddr(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 500 {
		ports.next++
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports.next))
		l, err := net.Listen("tcp", addr)
		if err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// ---- a viewer ----

var errRedirect = errors.New("a redirect: media and playlists must be where their URL says")

func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
}

// response is an answer that was read to its end.
type response struct {
	method, url string
	status      int
	header      http.Header
	body        []byte
}

func (r response) is(status int) error {
	if r.status == status {
		return nil
	}
	return fmt.Errorf("%s %s: status %d, not %d: %.200s", r.method, r.url, r.status, status, r.body)
}

func (s *server) fetch(ctx context.Context, method, url string, header http.Header) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return response{}, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return response{}, fmt.Errorf("%s %s: %w", method, url, err)
	}
	return response{method, url, resp.StatusCode, resp.Header, body}, nil
}

// body fetches what must be there.
func (s *server) body(ctx context.Context, url string) ([]byte, error) {
	r, err := s.fetch(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return r.body, r.is(http.StatusOK)
}

func (s *server) get(t testing.TB, url string) []byte {
	t.Helper()
	b, err := s.body(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// do fetches whatever the answer is.
func (s *server) do(t testing.TB, method, url string, header ...string) response {
	t.Helper()
	h := make(http.Header)
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	r, err := s.fetch(t.Context(), method, url, h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
