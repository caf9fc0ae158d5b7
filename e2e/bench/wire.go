//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// wire is one kept-alive HTTP connection, used by one goroutine: net/http's client
// would cost the load's cores more than many a server.
type wire struct {
	host string
	nc   net.Conn
	r    *bufio.Reader
	buf  []byte
}

// patience is longer than any server holds a request.
const patience = 20 * time.Second

// dial connects; when ctx ends, whatever is under way fails.
func dial(ctx context.Context, addr string, buffer int) (*wire, error) {
	nc, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { nc.Close() })
	return &wire{host: addr, nc: nc, r: bufio.NewReaderSize(nc, 4<<10), buf: make([]byte, buffer)}, nil
}

// get asks for a path, and gives what comes to take as it comes. What take gets is
// valid until it returns; it may be nil.
func (w *wire) get(path string, take func([]byte)) (status, n int, err error) {
	w.nc.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(w.nc, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, w.host); err != nil {
		return 0, 0, err
	}
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	for {
		got, err := resp.Body.Read(w.buf)
		n += got
		if take != nil {
			take(w.buf[:got])
		}
		if err == io.EOF {
			return resp.StatusCode, n, nil
		}
		if err != nil {
			return resp.StatusCode, n, err
		}
	}
}

// text is a small body whole.
func (w *wire) text(path string) (string, error) {
	var b []byte
	status, _, err := w.get(path, func(more []byte) { b = append(b, more...) })
	if err == nil && status != http.StatusOK {
		err = &statusError{path, status}
	}
	return string(b), err
}

// statusError is an answer that isn't what was asked for.
type statusError struct {
	path   string
	status int
}

func (e *statusError) Error() string { return fmt.Sprintf("GET %s: %d", e.path, e.status) }
