// Package rtmpt carries RTMP in HTTP requests, as RTMPT and RTMPTS do, for
// networks that let nothing else out.
//
//	POST /open/1        ──▶ a session: a net.Conn that Accept returns
//	POST /send/ID/SEQ   ──▶ what its Read gets   ┐ the answer has all that
//	POST /idle/ID/SEQ   ──▶ nothing              ┘ its Write has left
//	POST /close/ID/SEQ  ──▶ io.EOF
//
// To whoever serves it, a session is a connection like any other. It belongs to
// no TCP connection: each request may come by another one.
package rtmpt

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-live/sluice/ingest/metrics"
)

const (
	maxBody   = 16 << 20 // bytes of a request: ffmpeg puts ten messages in one
	smallBody = 1 << 10  // of one that nobody reads

	bodyTime   = 10 * time.Second // for a body to come, and for an answer to be taken
	refuseTime = time.Second      // for what comes of a body that nobody wants
)

// Rules are what a Tunnel goes by.
type Rules struct {
	// Enter lets a session in that comes from an address, until leave is called,
	// or says why not.
	Enter func(from netip.Addr) (leave func(), err error)
	// Locate puts the address of whom a proxy speaks for in r.RemoteAddr, or
	// says what is wrong with its headers.
	Locate  func(r *http.Request) error
	Metrics *metrics.Set
}

// Tunnel is the listener whose connections are sessions.
type Tunnel struct {
	rules    Rules
	accepted chan *Conn
	once     sync.Once
	closed   chan struct{}

	mu       sync.Mutex
	sessions map[string]*Conn
}

// New returns a Tunnel without sessions.
func New(rules Rules) *Tunnel {
	return &Tunnel{rules: rules, accepted: make(chan *Conn), closed: make(chan struct{}), sessions: make(map[string]*Conn)}
}

// Accept is part of net.Listener.
func (t *Tunnel) Accept() (net.Conn, error) {
	select {
	case c := <-t.accepted:
		return c, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close lets no more sessions in. Those that there are go on.
func (t *Tunnel) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Addr is part of net.Listener. It is nowhere: Handler is behind ports of others.
func (t *Tunnel) Addr() net.Addr { return new(net.TCPAddr) }

// Handler answers the requests of the tunnel, and has next answer all others.
func (t *Tunnel) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verb, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch {
		case r.Method != http.MethodPost:
		case verb == "open", verb == "send", verb == "idle", verb == "close", r.URL.Path == "/fcs/ident2":
			t.serve(w, r, verb, rest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// failure is an answer that says what went wrong.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

var (
	errNoSession = &failure{http.StatusNotFound, "no such session: it has ended, or never was"}
	errNoProbe   = &failure{http.StatusNotFound, "nothing to tell: open a session"}
	errPath      = &failure{http.StatusBadRequest, "want /open/1, or /send, /idle or /close, a session and a number"}
	errBrowser   = &failure{http.StatusForbidden, "this is for encoders, and not for pages"}
	errEnding    = &failure{http.StatusServiceUnavailable, "the server is about to end"}
)

func (t *Tunnel) serve(w http.ResponseWriter, r *http.Request, verb, rest string) {
	deadlines := http.NewResponseController(w) // in tests there may be none
	deadlines.SetReadDeadline(time.Now().Add(bodyTime))
	err := t.answer(w, r, verb, rest)
	if err == nil {
		return
	}
	deadlines.SetReadDeadline(time.Now().Add(refuseTime))
	f, ok := err.(*failure)
	if !ok {
		f = &failure{http.StatusServiceUnavailable, err.Error()}
	}
	w.Header().Set("Cache-Control", "no-store")
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	deadlines.SetWriteDeadline(time.Now().Add(bodyTime))
	http.Error(w, f.text, f.status)
}

func (t *Tunnel) answer(w http.ResponseWriter, r *http.Request, verb, rest string) error {
	if r.Header.Get("Origin") != "" {
		return errBrowser // or any page could do here what its visitor may
	}
	if err := t.rules.Locate(r); err != nil {
		return &failure{http.StatusBadRequest, err.Error()}
	}
	switch verb {
	case "fcs":
		return errNoProbe
	case "open":
		return t.open(w, r)
	}
	id, number, numbered := strings.Cut(rest, "/")
	seq, err := strconv.ParseUint(number, 10, 32)
	if err != nil && (numbered || verb != "close") { // some have no number there
		return errPath
	}
	t.mu.Lock()
	c := t.sessions[id]
	t.mu.Unlock()
	if c == nil || c.encrypted && r.TLS == nil { // what is taken for encrypted is so to its end
		return errNoSession
	}
	if verb == "close" {
		return c.hangUp(w, seq, numbered)
	}
	return c.exchange(w, r, seq, verb == "send")
}

// open begins a session.
func (t *Tunnel) open(w http.ResponseWriter, r *http.Request) error {
	if err := skip(w, r); err != nil {
		return err
	}
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // invalid where there is none, as in tests
	leave, err := t.rules.Enter(from.Addr())
	if err != nil {
		return err
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		local = t.Addr()
	}
	c := newConn(t, rand.Text(), local, net.TCPAddrFromAddrPort(from), r.TLS != nil, leave)
	t.mu.Lock()
	t.sessions[c.id] = c
	t.mu.Unlock()
	select {
	case t.accepted <- c:
		return reply(w, []byte(c.id+"\n"))
	case <-t.closed:
	case <-r.Context().Done():
	}
	c.Close()
	return errEnding
}

// forget is for a session's end.
func (t *Tunnel) forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sessions, id)
}

// reply sends an answer, whose length clients must be told.
func reply(w http.ResponseWriter, b []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/x-fcs")
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	deadlines := http.NewResponseController(w)
	deadlines.SetWriteDeadline(time.Now().Add(bodyTime))
	w.Write(b) // who doesn't take it may ask again
	return nil
}

// skip reads a body that says nothing: one zero byte, or none.
func skip(w http.ResponseWriter, r *http.Request) error {
	if n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, smallBody)); err != nil {
		return &failure{http.StatusBadRequest, fmt.Sprintf("the body ended behind %d bytes: %v", n, err)}
	}
	return read(w)
}

// read says that all of a body has come: what the connection brings from now on
// isn't this request's.
func read(w http.ResponseWriter) error {
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	return nil
}
