package ports

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// resting is a listener that can let another process accept what comes.
type resting struct {
	*net.TCPListener
	once   sync.Once
	closed chan struct{}

	mu    sync.Mutex
	pause chan struct{} // closed when it goes on; nil while it accepts
}

func newResting(l *net.TCPListener) *resting {
	return &resting{TCPListener: l, closed: make(chan struct{})}
}

// Accept is part of net.Listener.
func (l *resting) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		pause := l.pause
		l.mu.Unlock()
		if pause != nil {
			select {
			case <-pause:
			case <-l.closed:
				return nil, net.ErrClosed
			}
		}
		nc, err := l.TCPListener.Accept()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nc, err
		}
	}
}

// Close is part of net.Listener.
func (l *resting) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.TCPListener.Close()
}

func (l *resting) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pause == nil {
		l.pause = make(chan struct{})
		_ = l.SetDeadline(time.Unix(1, 0))
	}
}

func (l *resting) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pause != nil {
		_ = l.SetDeadline(time.Time{})
		close(l.pause)
		l.pause = nil
	}
}

// Sockets are what is listened on, by the names of the listeners: for another process that
// takes their place.
func (p *Ports) Sockets() map[string]syscall.Conn { return p.sockets }

// Rest accepts nothing more: another process does, which has the same sockets. Connections
// go on: by HTTP/1.1 and 2 until their next answer, by HTTP/3 until what is under way is
// answered, and ctx ends.
func (p *Ports) Rest(ctx context.Context) {
	p.leaving.Store(true)
	for _, w := range p.Ways {
		if w.datagrams {
			if w.Shutdown(ctx) != nil {
				w.Close()
			}
		}
	}
	for _, l := range p.listeners {
		l.rest()
	}
}

// GoOn accepts again, but for HTTP/3.
func (p *Ports) GoOn() {
	p.leaving.Store(false)
	for _, l := range p.listeners {
		l.goOn()
	}
}

// shown lets connections end with their next answer while another process accepts: who
// asks again comes to that.
func (p *Ports) shown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
