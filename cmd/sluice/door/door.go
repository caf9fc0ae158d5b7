// Package door lets connections in: as many as there is room for, and no more
// from one address than is fair.
//
//	Accept ── out of descriptors? wait ── room? ── fair? ──▶ server
//	                                   PROXY header: fair? at the first Read
//	Enter  ────────────────────────────── room? ── fair? ──▶ QUIC
package door

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// Limits says how many connections there may be. What counts as one address is
// address.Home.
type Limits struct {
	Connections   int              // open at once
	PerAddress    int              // open at once from one address; 0: any number
	Rate          float64          // new ones a second from one address; 0: any number
	Burst         int              // new ones at once from one address
	Exempt        address.Networks // addresses that only Connections binds
	Proxies       address.Networks // that begin each connection with a PROXY header, version 1 or 2
	HeaderTimeout time.Duration    // for that header
}

// Event is something that an operator should know. A flood of them is told as
// one.
type Event struct {
	What     metrics.Limit
	Listener string
	Remote   netip.Addr // invalid where nobody is to blame
	Err      error      // of Accepting and ProxyHeader
	More     int        // the same happened that often since it was told last
}

// Door is the state that several listeners share.
type Door struct {
	limits  Limits
	metrics *metrics.Set
	tell    teller
	crowd   crowd

	mu   sync.Mutex
	open int
}

// New returns a Door. now is the time of day; note is told of refusals, by any
// goroutine.
func New(l Limits, m *metrics.Set, now func() time.Time, note func(Event)) *Door {
	return &Door{
		limits:  l,
		metrics: m,
		tell:    teller{now: now, note: note, last: make(map[metrics.Limit]*told)},
		crowd:   crowd{limits: l, now: now, guests: make(map[netip.Prefix]*guest)},
	}
}

// Listener lets in what l accepts. answer is what a peer that is refused hears
// before the connection is closed, and may be nil: most protocols have no words
// that early.
func (d *Door) Listener(l net.Listener, name string, answer func(metrics.Limit) []byte) net.Listener {
	return &listener{Listener: l, door: d, name: name, answer: answer, closed: make(chan struct{}), farewells: make(chan struct{}, maxFarewells)}
}

// Proxied tells whether who comes from an address must say first for whom.
func (d *Door) Proxied(from netip.Addr) bool { return d.limits.Proxies.Contain(from) }

const (
	firstPause = 5 * time.Millisecond
	longPause  = time.Second

	// A farewell is a refused connection that stays until its peer has read
	// why: for a moment, and only a few.
	maxFarewells = 32
	farewellTime = time.Second
)

type listener struct {
	net.Listener
	door      *Door
	name      string
	answer    func(metrics.Limit) []byte
	farewells chan struct{}
	leaving   sync.WaitGroup

	once   sync.Once
	closed chan struct{}
}

// Close stops Accept, and waits until nothing is left of those refused.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	err := l.Listener.Close()
	l.leaving.Wait()
	return err
}

// Accept returns the next connection that may come in. What goes wrong with
// one is not the listener's end: only Close is.
func (l *listener) Accept() (net.Conn, error) {
	for pause := time.Duration(0); ; {
		nc, err := l.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			if c := l.admit(nc); c != nil {
				return c, nil
			}
		case errors.Is(err, net.ErrClosed):
			return nil, err
		default:
			// The connections that there are go on, and free descriptors.
			pause = min(max(2*pause, firstPause), longPause)
			l.door.refused(Event{What: metrics.Accepting, Listener: l.name, Err: err})
			select {
			case <-time.After(pause):
			case <-l.closed:
				return nil, net.ErrClosed
			}
		}
	}
}

// admit returns nil for a connection that was refused.
func (l *listener) admit(nc net.Conn) net.Conn {
	addr := address.Of(nc.RemoteAddr())
	if l.door.limits.Proxies.Contain(addr) {
		// For whom it comes is yet to be read.
		if p := newProxied(l, nc); p.room() {
			return p
		}
		l.refuse(nc, metrics.Connections)
		return nil
	}
	c := &conn{Conn: nc, place: place{door: l.door, name: l.name}}
	if what, ok := c.take(addr); !ok {
		l.refuse(nc, what)
		return nil
	}
	return c
}

// refuse closes a connection, behind a word of explanation where there is one.
func (l *listener) refuse(nc net.Conn, what metrics.Limit) {
	l.door.refused(Event{What: what, Listener: l.name, Remote: address.Of(nc.RemoteAddr())})
	if l.answer == nil {
		nc.Close()
		return
	}
	select {
	case l.farewells <- struct{}{}:
	default:
		nc.Close()
		return
	}
	l.leaving.Go(func() {
		defer func() { nc.Close(); <-l.farewells }()
		nc.SetDeadline(l.door.tell.now().Add(farewellTime))
		if _, err := nc.Write(l.answer(what)); err != nil {
			return
		}
		if t, ok := nc.(interface{ CloseWrite() error }); ok {
			t.CloseWrite()
		}
		// What the peer sends unread would make TCP throw our answer away.
		io.Copy(io.Discard, io.LimitReader(nc, 64<<10))
	})
}

// takeRoom counts a connection, if there is room for it.
func (d *Door) takeRoom() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limits.Connections > 0 && d.open >= d.limits.Connections {
		return false
	}
	d.open++
	return true
}

func (d *Door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
}

func (d *Door) refused(e Event) {
	d.metrics.Refused(e.What)
	d.tell.event(e)
}

// Enter lets in a connection that no listener accepts, as QUIC's are, or returns
// why it may not come in. Who is in leaves when it is closed.
func (d *Door) Enter(name string, from netip.Addr) (leave func(), err error) {
	p := &place{door: d, name: name}
	if what, ok := p.take(from); !ok {
		d.refused(Event{What: what, Listener: name, Remote: from})
		return nil, &refusedError{what}
	}
	return p.leave, nil
}

// place is what a connection takes up of the limits, until it leaves.
type place struct {
	door   *Door
	name   string // of the way that it comes by
	once   sync.Once
	ticket ticket
}

// room counts a connection among all.
func (p *place) room() bool {
	if !p.door.takeRoom() {
		return false
	}
	p.door.metrics.Connected(p.name)
	return true
}

// take counts a connection among all, and among those of its address.
func (p *place) take(from netip.Addr) (metrics.Limit, bool) {
	if !p.room() {
		return metrics.Connections, false
	}
	what, ok := p.door.crowd.count(from, &p.ticket)
	if !ok {
		p.leave()
	}
	return what, ok
}

func (p *place) leave() {
	p.once.Do(func() {
		p.door.crowd.leave(&p.ticket)
		p.door.leave()
		p.door.metrics.Disconnected(p.name)
	})
}

// conn gives its place back when it is closed.
type conn struct {
	net.Conn
	place
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}

// CloseWrite lets net/http end an answer that the peer must hear.
func (c *conn) CloseWrite() error {
	if t, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return t.CloseWrite()
	}
	return nil
}

// Unread is how much has come that was not read, as far as the socket knows.
func (c *conn) Unread() int {
	if u, ok := c.Conn.(interface{ Unread() int }); ok {
		return u.Unread()
	}
	return 0
}

// WriteBuffers lets a socket have many pieces in one system call.
func (c *conn) WriteBuffers(b net.Buffers) (int64, error) { return writeBuffers(c.Conn, b) }

// writeBuffers is net.Buffers.WriteTo that sees through to a socket that gathers.
func writeBuffers(nc net.Conn, b net.Buffers) (int64, error) {
	if w, ok := nc.(interface {
		WriteBuffers(net.Buffers) (int64, error)
	}); ok {
		return w.WriteBuffers(b)
	}
	return b.WriteTo(nc)
}

// told is what was said of one kind of refusal.
type told struct {
	at   time.Time
	more int
}

// teller passes on an event of each kind in quietTime, so that a flood of
// connections is no flood of lines.
type teller struct {
	now  func() time.Time
	note func(Event)

	mu   sync.Mutex
	last map[metrics.Limit]*told
}

const quietTime = 10 * time.Second

func (t *teller) event(e Event) {
	t.mu.Lock()
	last, ok := t.last[e.What]
	if !ok {
		last = new(told)
		t.last[e.What] = last
	}
	now := t.now()
	if ok && now.Sub(last.at) < quietTime {
		last.more++
		t.mu.Unlock()
		return
	}
	e.More = last.more
	*last = told{at: now}
	t.mu.Unlock()
	t.note(e)
}
