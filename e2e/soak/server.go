package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is the program under load.
type server struct {
	cmd               *exec.Cmd
	rtmp, http, admin string
	log               logBook
	exited            chan struct{}
	err               error
}

// logBook keeps what is wrong in a log.
type logBook struct {
	mu    sync.Mutex
	wrong []string
	rest  []byte
	last  string
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest = append(b.rest, p...)
	for {
		line, rest, ok := bytes.Cut(b.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		b.rest, b.last = rest, string(line)
		if l := b.last; len(b.wrong) < 20 && (strings.Contains(l, "panic") || strings.Contains(l, "fatal error") ||
			strings.Contains(l, `"level":"error"`) || strings.Contains(l, " ERR ")) {
			b.wrong = append(b.wrong, l[:min(len(l), 500)])
		}
	}
}

// grace and linger are the shortest that do, so that what is over is soon forgotten.
const grace, linger = 8 * time.Second, time.Minute

func startServer(s settings) (*server, error) {
	srv := &server{exited: make(chan struct{})}
	for _, addr := range []*string{&srv.rtmp, &srv.http, &srv.admin} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*addr = l.Addr().String()
		defer l.Close()
	}
	srv.cmd = exec.Command(s.server, "serve", "-rtmp-addr", srv.rtmp, "-http-addr", srv.http, "-admin-addr", srv.admin,
		"-window-grace", grace.String(), "-window-linger", linger.String())
	srv.cmd.Stdout, srv.cmd.Stderr = &srv.log, &srv.log
	srv.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's interrupt is for us alone
	return srv, nil
}

// open starts the program: its ports are free by now.
func (s *server) open() error {
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	for range 100 {
		if resp, err := http.Get("http://" + s.admin + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("the server ended: %v: %s", s.err, s.log.last)
		}
	}
	return errors.New("the server isn't ready")
}

func (s *server) kill() {
	select {
	case <-s.exited:
	default:
		s.cmd.Process.Kill()
		<-s.exited
	}
}

// stop returns how long the end took.
func (s *server) stop() (time.Duration, error) {
	began := time.Now()
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
		return time.Since(began), s.err
	case <-time.After(20 * time.Second):
		return time.Since(began), errors.New("it doesn't end")
	}
}

func (s *server) checkLog(l *ledger) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, line := range s.log.wrong {
		l.violate("log", "%s", line)
	}
}

// sample is what the server holds at a moment.
type sample struct {
	at                         time.Time
	rss, live, window          int // bytes; live is the heap behind a collection, where it was asked for
	goroutines, files, streams int
}

func (s *server) sample(collect bool) (sample, error) {
	now := sample{at: time.Now()}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return now, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(value)[0])
			now.rss = kb << 10
		}
	}
	if collect {
		if now.live, err = s.number("/debug/pprof/heap?gc=1&debug=1", `# HeapAlloc = (\d+)`); err != nil {
			return now, err
		}
	}
	http.DefaultClient.CloseIdleConnections() // our own are not the load's
	if now.goroutines, err = s.number("/debug/pprof/goroutine?debug=1", `total (\d+)`); err != nil {
		return now, err
	}
	if err := s.streams(&now); err != nil {
		return now, err
	}
	http.DefaultClient.CloseIdleConnections()
	time.Sleep(50 * time.Millisecond)
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	now.files = len(files)
	return now, err
}

// number reads one out of a page of the admin's.
func (s *server) number(path, pattern string) (int, error) {
	resp, err := http.Get("http://" + s.admin + path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	expr := regexp.MustCompile(pattern)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	n, err := 0, fmt.Errorf("%s has no %s", path, pattern)
	for lines.Scan() {
		if m := expr.FindStringSubmatch(lines.Text()); m != nil && err != nil {
			n, err = strconv.Atoi(m[1])
		}
	}
	return n, err
}

func (s *server) streams(now *sample) error {
	resp, err := http.Get("http://" + s.admin + "/api/v1/streams")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var list struct {
		Streams []struct{ Bytes int }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&list); err != nil {
		return err
	}
	now.streams = len(list.Streams)
	for _, stream := range list.Streams {
		now.window += stream.Bytes
	}
	return nil
}

// awaitNoStreams waits until the server has forgotten all.
func (s *server) awaitNoStreams(ctx context.Context) error {
	for range 120 {
		now := sample{}
		if err := s.streams(&now); err == nil && now.streams == 0 {
			return nil
		}
		if pause(ctx, time.Second); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.New("there are streams left")
}
