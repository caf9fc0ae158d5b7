//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// feed is a publisher in a process of its own, beside the viewers.
type feed struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// publish starts streams, and returns when all have begun.
func (b *bench) publish(ctx context.Context, s *server, kind string, streams int) (*feed, error) {
	f := &feed{cmd: exec.CommandContext(ctx, "/proc/self/exe", "publish",
		"-addr", b.addr(rtmpPort), "-kind", kind, "-streams", fmt.Sprint(streams), fmt.Sprintf("-blind=%v", s.blind))}
	f.cmd.Stderr = os.Stderr
	f.cmd.Cancel = func() error { return f.cmd.Process.Signal(syscall.SIGTERM) }
	f.cmd.WaitDelay = 10 * time.Second
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	f.out = bufio.NewReader(out)
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	if line, err := f.out.ReadString('\n'); line != started+"\n" {
		f.cmd.Process.Kill()
		return nil, fmt.Errorf("the publisher says %q: %w", line, errors.Join(err, f.cmd.Wait()))
	}
	return f, nil
}

// stage starts a server, feeds it with streams, and lets work measure. Its figures
// are returned when the load has kept pace.
func (b *bench) stage(ctx context.Context, p peer, kind string, streams int, work func(*server) (figures, error)) (figures, error) {
	s, err := b.start(ctx, p, rtmpPort)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	f, err := b.publish(ctx, s, kind, streams)
	if err != nil {
		return nil, err
	}
	of, err := work(s)
	report, ended := f.stop()
	if err := errors.Join(err, ended); err != nil {
		return nil, err
	}
	if late := time.Duration(report.LateP99 * float64(time.Millisecond)); late > b.late {
		return nil, fmt.Errorf("%w: 1 %% of the messages were %v late, or later", errLate, late)
	}
	of["sent late p99, ms"] = report.LateP99
	return of, nil
}

// stop ends the streams, and returns how well they kept pace.
func (f *feed) stop() (fed, error) {
	f.cmd.Process.Signal(syscall.SIGTERM)
	text, err := io.ReadAll(f.out)
	if err := errors.Join(err, f.cmd.Wait()); err != nil {
		return fed{}, fmt.Errorf("publisher: %w", err)
	}
	var report fed
	if err := json.Unmarshal(text, &report); err != nil {
		return report, fmt.Errorf("publisher: %q: %w", text, err)
	}
	return report, nil
}

// errLate is a measurement that says nothing of the server: late messages come in
// heaps, which no encoders make.
var errLate = errors.New("the load was too much for its cores, or something else was running")
