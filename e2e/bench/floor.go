//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// floorCommand is a server that reads and discards: with a goroutine for each
// connection, as Go programs are written, or in rounds over all that is ready,
// with a pause in between. Or one that sends files, by net/http alone.
func floorCommand(args []string) error {
	if len(args) != 2 && (len(args) != 3 || args[0] != "http") {
		return errors.New("usage: bench floor goroutines|rounds ADDR, bench floor http ADDR DIR")
	}
	l, err := net.Listen("tcp", args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "goroutines":
		return readEach(l)
	case "rounds":
		return readRounds(l.(*net.TCPListener))
	case "http":
		return answerEach(l, args[len(args)-1])
	}
	return fmt.Errorf("%q is no floor: goroutines, rounds, http", args[0])
}

// answerEach is what net/http costs by itself: it looks a file up in memory, and
// sends it with a header as long as sluice's.
func answerEach(l net.Listener, dir string) error {
	header := http.Header{
		"Access-Control-Allow-Origin":   {"*"},
		"Access-Control-Expose-Headers": {"Content-Length, Content-Range, Date, ETag"},
		"Cache-Control":                 {"max-age=1"},
		"Content-Type":                  {"application/vnd.apple.mpegurl"},
		"Cross-Origin-Resource-Policy":  {"cross-origin"},
		"Etag":                          {`"0123456789abcdef01234567"`},
		"Timing-Allow-Origin":           {"*"},
		"Vary":                          {"Accept-Encoding"},
	}
	files := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files["/"+path], err = os.ReadFile(filepath.Join(dir, path))
		}
		return err
	})
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := files[r.URL.Path]
		h := w.Header()
		maps.Copy(h, header)
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
		_, _ = w.Write(body)
	}))
}

const gulp = 64 << 10

func readEach(l net.Listener) error {
	for {
		nc, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer nc.Close()
			b := make([]byte, gulp)
			for {
				if _, err := nc.Read(b); err != nil {
					return
				}
			}
		}()
	}
}

// roundPause is how long data may gather.
const roundPause = 5 * time.Millisecond

// readRounds reads each connection that is ready once in a round.
func readRounds(l *net.TCPListener) error {
	f, err := l.File()
	if err != nil {
		return err
	}
	door := int(f.Fd())
	defer f.Close()
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		return err
	}
	watch := func(fd int) error {
		syscall.SetNonblock(fd, true)
		return syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
	}
	if err := watch(door); err != nil {
		return err
	}
	b := make([]byte, gulp)
	ready := make([]syscall.EpollEvent, 1024)
	pause := syscall.NsecToTimespec(roundPause.Nanoseconds())
	for {
		n, err := syscall.EpollWait(poll, ready, -1)
		if err != nil && err != syscall.EINTR {
			return err
		}
		for _, e := range ready[:max(n, 0)] {
			fd := int(e.Fd)
			if fd == door {
				if peer, _, err := syscall.Accept(door); err == nil {
					watch(peer)
				}
			} else if n, err := syscall.Read(fd, b); n == 0 && err == nil {
				syscall.Close(fd)
			}
		}
		syscall.Nanosleep(&pause, nil)
	}
}
