// Command soak runs the built server for a long time under everything that can
// happen to it, and holds it to what it promises:
//
//	publishers, cut at random ──RTMP──▶ bin/sluice ──HTTP──▶ viewers of LL-HLS and DASH
//	     │                                  ▲                        │
//	     │              hostile peers, now and then                  │
//	     └── what was sent, and when ──▶ ledger ◀── what came out ───┘
//
// Each access unit has a number in it. It prints a report in markdown, and exits
// with 1 when a promise was broken. Names of promises (N1 …) are those of
// docs/security.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// settings are what a run is told.
type settings struct {
	server     string
	length     time.Duration
	publishers int
	bitrate    int // bit/s of each
	ll, dash   int // viewers
	hostile    float64
	cut        time.Duration // mean time between two cuts of a publisher
	seed       uint64
	latest     time.Duration // of 99 % of the parts
}

func main() {
	s := settings{}
	flag.StringVar(&s.server, "server", "bin/sluice", "the server's program")
	flag.DurationVar(&s.length, "for", time.Hour, "how long the load lasts")
	flag.IntVar(&s.publishers, "publishers", 20, "streams")
	flag.IntVar(&s.bitrate, "bitrate", 2_000_000, "of each, in bit/s")
	flag.IntVar(&s.ll, "ll", 300, "viewers of LL-HLS")
	flag.IntVar(&s.dash, "dash", 50, "viewers of DASH")
	flag.Float64Var(&s.hostile, "hostile", 5, "hostile peers, in percent of all others")
	flag.DurationVar(&s.cut, "cut", time.Minute, "mean time between two cuts of a publisher")
	flag.Uint64Var(&s.seed, "seed", rand.Uint64()%1_000_000, "of all that is random")
	flag.DurationVar(&s.latest, "late", 100*time.Millisecond, "how late 99 % of the parts may be in quiet minutes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	broken, err := run(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	if err != nil || broken {
		os.Exit(1)
	}
}

// run returns whether a promise was broken.
func run(ctx context.Context, s settings) (broken bool, err error) {
	fmt.Fprintf(os.Stderr, "soak: seed %d, %v\n", s.seed, s.length)
	l := newLedger()
	srv, err := startServer(s)
	if err != nil {
		return false, err
	}
	if err := srv.open(); err != nil {
		return false, err
	}
	defer srv.kill()
	w := &world{settings: s, ledger: l, server: srv, sample: newClip(s.bitrate)}
	if err := w.warmUp(ctx); err != nil {
		return false, fmt.Errorf("warming up: %w", err)
	}
	before, err := srv.sample(true)
	if err != nil {
		return false, err
	}
	m := newMonitor(w, before)
	w.load(ctx, m)
	w.length = min(w.length, time.Since(m.began).Round(time.Second)) // it may have been interrupted
	m.settle()
	l.settle()
	took, err := srv.stop()
	if err != nil {
		l.violate("F13", "the server ended with %v", err)
	} else if took > 10*time.Second {
		l.violate("F13", "the server took %v to end", took)
	}
	srv.checkLog(l)
	m.report(os.Stdout)
	return l.broken(), nil
}

// world is one run.
type world struct {
	settings
	*ledger
	server *server
	sample *clip // what all publications are made of
	delays delays
}

// late takes down how late a part came.
func (w *world) late(by time.Duration) { w.delays.add(by) }

// random is the seed's source for one peer.
func (w *world) random(peer uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, peer)) }

// warmUp has a stream published and watched, and waits until it is forgotten: what
// the server has then, it always has.
func (w *world) warmUp(ctx context.Context) error {
	quiet := &world{settings: w.settings, ledger: newLedger(), server: w.server, sample: w.sample}
	quiet.cut = time.Hour
	load, stop := context.WithTimeout(ctx, 8*time.Second)
	defer stop()
	var all sync.WaitGroup
	p := newPublisher(quiet, 0, "warm")
	all.Go(func() { p.run(load) })
	all.Go(func() { newViewer(quiet, 0, "warm").watch(load, "v1") })
	all.Go(func() { newDashViewer(quiet, 1, "warm").watch(load) })
	all.Wait()
	if quiet.broken() {
		return fmt.Errorf("%v", quiet.text)
	}
	return w.server.awaitNoStreams(ctx)
}

// load lets all peers do what they do, and returns when they have left and the
// server has forgotten them. An interrupt is the end of the load, no other than
// when its time is up.
func (w *world) load(ctx context.Context, m *monitor) {
	publishing, stop := context.WithTimeout(ctx, w.length)
	defer stop()
	// Viewers stay to see the end of what was published.
	watching, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var publishers, viewers, rest sync.WaitGroup
	for i := range w.publishers {
		p := newPublisher(w, i, fmt.Sprintf("s%d", i))
		publishers.Go(func() { p.run(publishing) })
		for _, rendition := range []string{"v1", "a1"} {
			viewers.Go(func() { newWitness(w, i, rendition).follow(watching) })
		}
	}
	for i := range w.ll {
		rendition := "v1"
		if i%8 == 7 {
			rendition = "a1"
		}
		viewers.Go(func() { newViewer(w, i, stream(i%w.publishers)).watch(publishing, rendition) })
	}
	for i := range w.dash {
		viewers.Go(func() { newDashViewer(w, i, stream(i%w.publishers)).watch(publishing) })
	}
	enemies := int(float64(w.publishers+w.ll+w.dash)*w.hostile/100 + 0.5)
	for i := range enemies {
		rest.Go(func() { newEnemy(w, i).rage(publishing, m) })
	}
	rest.Go(func() { m.watch(publishing) })
	publishers.Wait()
	rest.Wait()
	time.Sleep(lastLook)
	leave()
	viewers.Wait()
}

func stream(i int) string { return fmt.Sprintf("s%d", i) }

// lastLook is how long witnesses have to see the end of the streams.
const lastLook = 3 * time.Second
