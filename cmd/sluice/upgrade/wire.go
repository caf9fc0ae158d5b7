package upgrade

import (
	"net"
	"sync"
	"time"
)

// dialTimeout is for a process that takes no connections.
const dialTimeout = 5 * time.Second

// Wire joins two processes: each opens connections to the other by it. It is a
// net.Listener for those that the other has opened, and nobody else can open any: it has
// no address.
type Wire struct {
	conn     *net.UnixConn
	writing  sync.Mutex // one message at a time
	incoming chan net.Conn
	gone     chan struct{}
	once     sync.Once
}

var _ net.Listener = (*Wire)(nil)

// NewWire takes the end of a wire that a process was started with.
func NewWire(c *net.UnixConn) *Wire {
	w := &Wire{conn: c, incoming: make(chan net.Conn), gone: make(chan struct{})}
	go w.read()
	return w
}

// read takes what the other process opens, until that is gone.
func (w *Wire) read() {
	defer w.Close()
	for {
		nc, err := w.receive()
		if err != nil {
			return
		}
		select {
		case w.incoming <- nc:
		case <-w.gone:
			nc.Close()
			return
		}
	}
}

// Accept is part of net.Listener.
func (w *Wire) Accept() (net.Conn, error) {
	select {
	case nc := <-w.incoming:
		return nc, nil
	case <-w.gone:
		return nil, net.ErrClosed
	}
}

// Close is part of net.Listener.
func (w *Wire) Close() error {
	w.once.Do(func() { close(w.gone) })
	return w.conn.Close()
}

// Addr is part of net.Listener.
func (w *Wire) Addr() net.Addr { return w.conn.LocalAddr() }

// Gone is closed when the other process is gone, or the wire was closed.
func (w *Wire) Gone() <-chan struct{} { return w.gone }
