package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/cmd/sluice/ports"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/packager"
)

// TestSimulation runs the server in fake time, one publisher and a few viewers
// for each seed, through whatever the seed does to them:
//
//	encoder ──RTMP over a pipe──▶ app ──▶ handler ◀── viewers
//	   │                                                 │
//	   └── what was sent, and when it was true ──▶ ledger ◀── what came out
//
// By the environment: SIMULATE_SEEDS (3) from SIMULATE_FIRST (1) on, each for
// SIMULATE_HOURS (1), with SIMULATE_FAULTS: names from faultTable with commas
// between them, "all", or nothing for those that are not off.
func TestSimulation(t *testing.T) {
	seeds, hours := 3.0, 1.0
	if testing.Short() || race { // make unit runs it without the race detector, too
		seeds, hours = 2, 1.0/6
	}
	seeds, hours = setting(t, "SIMULATE_SEEDS", seeds), setting(t, "SIMULATE_HOURS", hours)
	first := uint64(setting(t, "SIMULATE_FIRST", 1))
	choice := os.Getenv("SIMULATE_FAULTS")
	if _, err := chooseFaults(choice); err != nil {
		t.Fatal(err)
	}
	turn := make(chan bool, 2) // that many seeds at a time
	for seed := first; seed < first+uint64(seeds); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			turn <- true
			defer func() { <-turn }()
			synctest.Test(t, func(t *testing.T) {
				simulate(t, seed, time.Duration(hours*float64(time.Hour)), choice)
			})
			if t.Failed() {
				t.Logf("again: SIMULATE_FIRST=%d SIMULATE_SEEDS=1 SIMULATE_HOURS=%v SIMULATE_FAULTS='%s' go test ./cmd/sluice -run '^TestSimulation$'",
					seed, hours, choice)
			}
		})
	}
}

func setting(t *testing.T, name string, value float64) float64 {
	if s := os.Getenv(name); s != "" {
		var err error
		if value, err = strconv.ParseFloat(s, 64); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return value
}

// simulation is one seed's world. Everything random in it comes from the seed;
// who comes first at one instant is the scheduler's choice, and must not matter.
type simulation struct {
	t       *testing.T
	seed    uint64
	began   time.Time
	faults  []fault
	app     *app
	door    *pipeListener
	handler http.Handler
	step    atomic.Int64 // of the server's wall clock, ns

	violations, reported map[string]int // under ledger's mu
	ledger
}

func simulate(t *testing.T, seed uint64, length time.Duration, choice string) {
	// A bubble begins in 2000, before the epoch of the sequence numbers.
	time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Add(time.Duration(seed%1e6) * 77_777 * time.Microsecond)))
	s := &simulation{t: t, seed: seed, began: time.Now(), violations: make(map[string]int), reported: make(map[string]int)}
	s.faults, _ = chooseFaults(choice)
	s.ledger = newLedger(s.violate)
	s.compose(s.random(0))

	ctx, cancel := context.WithCancel(t.Context())
	var server, viewers sync.WaitGroup
	serving, stop := context.WithCancel(t.Context())
	server.Go(func() {
		if err := s.app.run(serving); err != nil {
			s.violate("run", "the server failed: %v", err)
		}
	})
	for i, rendition := range []string{"v1", "a1", "a2"} {
		viewers.Go(func() { newViewer(s, rendition, s.random(10+uint64(i))).follow(ctx) })
	}
	viewers.Go(func() { (&passer{sim: s, rand: s.random(20)}).pass(ctx) })
	viewers.Go(func() { (&dashViewer{sim: s, rand: s.random(21)}).follow(ctx) })
	viewers.Go(func() { newPacer(s, s.random(22)).watch(ctx) })

	(&encoder{sim: s, rand: s.random(1)}).run(s.began.Add(length))
	time.Sleep(s.app.cfg.Window.Grace + s.app.cfg.Window.Linger + 2*expireInterval)
	if n := len(s.app.catalog.Streams()); n != 0 {
		s.violate("N8", "%d streams are left in the catalog", n)
	}
	cancel()
	viewers.Wait()
	stop()
	server.Wait()
	s.settle()
	t.Log(s.summary(), s.violations)
	if os.Getenv("SIMULATE_DIARY") != "" {
		t.Log(strings.Join(s.diary, "\n\t"))
	}
}

// random returns the seed's source of randomness for one purpose.
func (s *simulation) random(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, purpose)) }

// compose builds the server as listen does, with a pipe for a port.
func (s *simulation) compose(r *rand.Rand) {
	cfg := config.Default()
	cfg.Window.FrameChunks = r.IntN(4) == 0
	if r.IntN(4) == 0 {
		cfg.Window.TargetDuration = 4 * time.Second
	}
	switch r.IntN(4) {
	case 0:
		cfg.Window.PartDuration = time.Second
	case 1:
		cfg.Window.PartDuration = 200 * time.Millisecond
	}
	a := &app{cfg: cfg, log: zerolog.Nop()}
	a.clock = newClock(s.wallClock, func() time.Duration { return time.Since(s.began) })
	a.catalog = packager.NewCatalog(settings(cfg.Window), a.clock.now)
	a.gate = s.gate(a)
	a.rtmp = &ingest.Server{
		Limits:  limits(cfg.RTMP),
		Handler: a.gate,
		Log:     zerolog.Nop(),
		Now:     time.Now, // it sets deadlines, which a stepped clock doesn't move
	}
	a.http = &httpserve.Server{
		Catalog:      a.catalog,
		Hold:         cfg.HTTP.HoldTimeout,
		WriteTimeout: cfg.HTTP.WriteTimeout,
		Log:          zerolog.Nop(),
		Now:          a.clock.now,
	}
	s.door = &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	a.ports = &ports.Ports{RTMP: []net.Listener{s.door}}
	s.app, s.handler = a, a.http.Handler()
}

func (s *simulation) gate(a *app) *gate.Gate {
	who := access.NewPublishers(access.Settings{From: address.Networks{netip.MustParsePrefix("192.0.2.0/24")}, Now: time.Now})
	a.rules = &rules{}
	return &gate.Gate{Catalog: a.catalog, Access: func() *access.Publishers { return who }, Now: a.clock.now, Log: zerolog.Nop()}
}

// wallClock is the machine's, which somebody may set.
func (s *simulation) wallClock() time.Time { return time.Now().Add(time.Duration(s.step.Load())) }

// violate reports what must not be: the first few times in full.
func (s *simulation) violate(property, format string, args ...any) {
	const most = 5
	key := property + " " + fmt.Sprint(args[0])
	s.mu.Lock()
	s.violations[property]++
	s.reported[key]++
	if s.reported[key] == 1 {
		s.reported[property]++
	}
	again, n, lately := s.reported[key] > 1, s.reported[property], s.lately()
	s.mu.Unlock()
	if again || n > most {
		s.t.Fail()
		return
	}
	s.t.Errorf("seed %d at %v: %s: %s\n\t%s", s.seed, time.Since(s.began).Round(time.Millisecond), property,
		fmt.Sprintf(format, args...), lately)
}

// answer is what a viewer gets.
type answer struct {
	path      string
	code      int
	body      []byte
	broken    bool // off, before its end
	asked, at time.Time
	head      http.Header
}

func (a *answer) Header() http.Header { return a.head }
func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

func (a *answer) Flush() {}

// get asks the server for a path below the stream's folder. It calls the
// handler itself: net/http in between would cost more than all the rest.
func (s *simulation) get(ctx context.Context, path string) (a *answer) {
	a = &answer{path: path, asked: time.Now(), head: make(http.Header)}
	u, err := url.Parse("http://sluice/live/cam1/" + path)
	if err != nil {
		s.violate("URL", "%q: %v", path, err)
		return a
	}
	r := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	defer func() {
		a.at = time.Now()
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			a.broken = true
		}
		if a.code >= 500 && a.code != http.StatusServiceUnavailable {
			s.violate("N6", "%s: %d %s", path, a.code, a.body)
		}
	}()
	s.handler.ServeHTTP(a, r)
	return a
}

// held is how long the answer took.
func (a *answer) held() time.Duration { return a.at.Sub(a.asked) }

// pipeListener accepts pipes, as if they were TCP connections from afar.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr }

var pipeAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1935}

// dial returns the encoder's end of a new connection.
func (l *pipeListener) dial() *line {
	near, far := net.Pipe()
	l.conns <- remoteConn{far}
	return &line{Conn: near, left: -1}
}

// remoteConn is a pipe that knows whom it leads to.
type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr { return pipeAddr }

// line is a connection that can break inside of a message: what was written
// before is delivered, and nothing behind it.
type line struct {
	net.Conn
	left int // bytes until it breaks, −1: it doesn't
}

var errCut = errors.New("the line was cut")

func (l *line) Write(b []byte) (int, error) {
	if l.left < 0 {
		return l.Conn.Write(b)
	}
	n, err := min(l.left, len(b)), error(nil)
	if n > 0 { // a pipe has a reader for an empty write, too
		n, err = l.Conn.Write(b[:n])
	}
	if l.left -= n; l.left == 0 {
		l.Conn.Close()
	}
	if n < len(b) {
		err = cmp.Or(err, errCut)
	}
	return n, err
}
