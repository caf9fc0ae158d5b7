package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A source that several encoders share, as in a studio: one program with one clock, that
// whoever connects gets from its next keyframe on, as an MPEG transport stream.

// program plays pictures of a file, and its sound, and returns where to get them: all
// have the same timestamps. It ends with the test, or by itself behind the file.
func program(t testing.TB, file string, pictures ...int) (urls []string) {
	t.Helper()
	args := []string{"-re", "-i", file}
	for _, n := range pictures {
		to, from := fan(t)
		urls = append(urls, "tcp://"+from)
		args = append(args, "-map", fmt.Sprint("0:v:", n), "-map", "0:a", "-c", "copy", "-f", "mpegts", "tcp://"+to)
	}
	ffmpegPublish(t, args...)
	return urls
}

// fan gives what comes at one address to all who connect to another.
func fan(t testing.TB) (to, from string) {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fanned{receivers: make(map[net.Conn]bool)}
	var done sync.WaitGroup
	done.Go(func() {
		source, err := in.Accept()
		if err != nil {
			return
		}
		defer source.Close()
		f.take(source)
		err = f.carry(source)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the source: %v", err)
		}
	})
	done.Go(func() {
		for {
			receiver, err := out.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.receivers[receiver] = false
			f.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		in.Close()
		out.Close()
		f.end()
		done.Wait()
		f.end()
	})
	return in.Addr().String(), out.Addr().String()
}

type fanned struct {
	mu        sync.Mutex
	source    net.Conn
	receivers map[net.Conn]bool // true: it gets what comes
	tables    [2][]byte         // the newest PAT and PMT
}

func (f *fanned) take(source net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.source = source
}

func (f *fanned) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.source != nil {
		f.source.Close()
	}
	for r := range f.receivers {
		r.Close()
	}
	clear(f.receivers)
}

const (
	tsPacket     = 188
	tsPAT, tsPMT = 0, 0x1000 // PIDs of ffmpeg
	tsPicture    = 0x100
)

// carry hands packets on until the source ends.
func (f *fanned) carry(source io.Reader) error {
	b := make([]byte, tsPacket)
	for {
		if _, err := io.ReadFull(source, b); err != nil {
			return err
		}
		f.give(b)
	}
}

func (f *fanned) give(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pid := int(b[1]&0x1F)<<8 | int(b[2])
	key := pid == tsPicture && b[3]&0x20 != 0 && b[4] > 0 && b[5]&0x40 != 0 // random access
	switch pid {
	case tsPAT:
		f.tables[0] = append([]byte(nil), b...)
	case tsPMT:
		f.tables[1] = append([]byte(nil), b...)
	}
	for r, gets := range f.receivers {
		whole := b
		if !gets {
			if !key {
				continue
			}
			f.receivers[r] = true
			whole = append(append(append([]byte(nil), f.tables[0]...), f.tables[1]...), b...)
		}
		r.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // who stands still doesn't hold up the others
		if _, err := r.Write(whole); err != nil {
			r.Close()
			delete(f.receivers, r)
		}
	}
}
