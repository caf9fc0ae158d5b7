//go:build linux

package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// peer is a server that is measured.
type peer struct {
	name  string
	blind bool // it answers nothing: a floor
	files bool // it serves what sluice has served before
	// command returns the program with its arguments, ready to start. Files go
	// into dir, which is empty, and in memory.
	command func(b *bench, dir string) (*exec.Cmd, error)
}

// ports of the server that runs; there is one at a time.
const (
	rtmpPort = iota
	httpPort
	adminPort
	filesPort
)

// addr is one of the run's ports on loopback.
func (b *bench) addr(port int) string { return fmt.Sprintf("127.0.0.1:%d", b.port+port) }

// sluice is a program of ours. There may be some, of two commits.
func sluice(name, program string) peer {
	return peer{name: name, command: func(b *bench, dir string) (*exec.Cmd, error) {
		path, err := filepath.Abs(program)
		return exec.Command(path, "serve", "-log-level", "warn",
			"-rtmp-addr", b.addr(rtmpPort), "-http-addr", b.addr(httpPort), "-admin-addr", b.addr(adminPort),
			"-rtmp-max-connections", "5000"), err
	}}
}

// The floors.
var (
	goroutineFloor = peer{name: "floor-go", blind: true, command: ownFloor("goroutines")}
	roundsFloor    = peer{name: "floor-rounds", blind: true, command: ownFloor("rounds")}
	cFloor         = peer{name: "floor-c", blind: true, command: compiledFloor}
	httpFloor      = peer{name: "floor-http", files: true, command: func(b *bench, _ string) (*exec.Cmd, error) {
		return exec.Command("/proc/self/exe", "floor", "http", b.addr(filesPort), b.kept()), nil
	}}
)

func ownFloor(which string) func(*bench, string) (*exec.Cmd, error) {
	return func(b *bench, _ string) (*exec.Cmd, error) {
		return exec.Command("/proc/self/exe", "floor", which, b.addr(rtmpPort)), nil
	}
}

//go:embed floor/gather.c
var gatherSource []byte

func compiledFloor(b *bench, dir string) (*exec.Cmd, error) {
	program := filepath.Join(b.dir, "gather")
	if _, err := os.Stat(program); err != nil {
		gcc := exec.Command("gcc", "-O2", "-x", "c", "-o", program, "-")
		gcc.Stdin = bytes.NewReader(gatherSource)
		if out, err := gcc.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("gcc: %w: %s", err, out)
		}
	}
	return exec.Command(program, fmt.Sprint(b.port+rtmpPort)), nil
}

// server is a peer that runs.
type server struct {
	peer
	cmd    *exec.Cmd
	dir    string
	log    bytes.Buffer // read it when the process has ended
	exited chan struct{}
	err    error
	up     time.Duration // from start to accepting
	idle   usage         // then
}

// start starts a peer and waits until it accepts connections at a port.
func (b *bench) start(ctx context.Context, p peer, port int) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, p.name+"-")
	if err != nil {
		return nil, err
	}
	s := &server{peer: p, dir: dir, exited: make(chan struct{})}
	if s.cmd, err = p.command(b, dir); err != nil {
		return nil, err
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	began := time.Now()
	if err := b.places.start(s.cmd); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.await(ctx, b.addr(port)); err != nil {
		s.stop()
		return nil, err
	}
	s.up = time.Since(began)
	if s.idle, err = s.usage(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) await(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if nc, err := net.Dial("tcp", addr); err == nil {
			return nc.Close()
		}
		select {
		case <-time.After(200 * time.Microsecond):
		case <-s.exited:
			return fmt.Errorf("%s ended: %v: %s", s.name, s.err, s.log.Bytes())
		case <-ctx.Done():
			return fmt.Errorf("%s doesn't accept connections at %s", s.name, addr)
		}
	}
}

func (s *server) usage() (usage, error) {
	select {
	case <-s.exited:
		return usage{}, fmt.Errorf("%s ended: %v: %s", s.name, s.err, s.log.Bytes())
	default:
		return readUsage(s.cmd.Process.Pid)
	}
}

// stop ends the server, and removes what it wrote.
func (s *server) stop() error {
	defer os.RemoveAll(s.dir)
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
		return nil
	case <-time.After(10 * time.Second):
		s.cmd.Process.Kill()
		<-s.exited
		return errors.New(s.name + " had to be killed")
	}
}
