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

// lives is a way by datagrams, which two processes can't share: it ends when another one
// takes over, and begins anew where that one is gone. Each life has a descriptor of its own
// for the socket, which stays.
type lives struct {
	socket *net.UDPConn
	begin  func(net.PacketConn) Way
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	life   Way
	number int           // of the life: 1, 2, …
	pause  chan struct{} // closed when the next life begins; nil while there is one
}

// newLives returns a way whose first life has begun.
func newLives(socket *net.UDPConn, begin func(net.PacketConn) Way) (Way, error) {
	l := &lives{socket: socket, begin: begin, closed: make(chan struct{})}
	if err := l.next(); err != nil {
		return Way{}, err
	}
	return Way{
		Serve:    l.serve,
		Shutdown: func(ctx context.Context) error { return l.end(func(w Way) error { return w.Shutdown(ctx) }) },
		Close:    func() error { return l.end(Way.close) },
		lives:    l,
	}, nil
}

func (w Way) close() error { return w.Close() }

// next begins a life. l.mu is held, or nobody else knows l.
func (l *lives) next() error {
	f, err := l.socket.File()
	if err != nil {
		return err
	}
	defer f.Close()
	pc, err := net.FilePacketConn(f)
	if err != nil {
		return err
	}
	l.life = l.begin(pc)
	l.number++
	return nil
}

func (l *lives) serve() error {
	for served := 0; ; {
		l.mu.Lock()
		life, number, pause := l.life, l.number, l.pause
		l.mu.Unlock()
		switch {
		case pause != nil:
			select {
			case <-pause:
			case <-l.closed:
				return nil
			}
		case number == served: // it was closed
			return nil
		default:
			served = number
			if err := life.Serve(); err != nil {
				return err
			}
		}
	}
}

// end is for good.
func (l *lives) end(how func(Way) error) error {
	l.once.Do(func() { close(l.closed) })
	l.mu.Lock()
	life, pause := l.life, l.pause
	l.mu.Unlock()
	var err error
	if pause == nil {
		err = how(life)
	}
	return errors.Join(err, ignoreClosed(l.socket.Close()))
}

func (l *lives) rest(ctx context.Context) {
	l.mu.Lock()
	life, resting := l.life, l.pause != nil
	if !resting {
		l.pause = make(chan struct{})
	}
	l.mu.Unlock()
	if !resting && life.Shutdown(ctx) != nil {
		life.Close()
	}
}

func (l *lives) goOn() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pause == nil {
		return nil
	}
	if err := l.next(); err != nil {
		return err
	}
	close(l.pause)
	l.pause = nil
	return nil
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
		if w.lives != nil {
			w.lives.rest(ctx)
		}
	}
	for _, l := range p.listeners {
		l.rest()
	}
}

// GoOn accepts again. What can't is the error: the rest does.
func (p *Ports) GoOn() error {
	p.leaving.Store(false)
	for _, l := range p.listeners {
		l.goOn()
	}
	var faults []error
	for _, w := range p.Ways {
		if w.lives != nil {
			faults = append(faults, w.lives.goOn())
		}
	}
	return errors.Join(faults...)
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
