package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/hooks"
	"github.com/sluice-live/sluice/cmd/sluice/ports"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// network is servers by name, in fake time.
type network struct {
	t     *testing.T
	mu    sync.Mutex
	host  map[string]*pipeListener
	down  map[string]bool
	open  map[string][]net.Conn
	deaf  atomic.Bool            // nobody reads what relays send
	when  []time.Time            // of all that was dialled
	takes time.Duration          // that a connection comes about
	why   error                  // of a server that is down; nil: it refuses
	cut   time.Duration          // servers hang up so long after they were dialled; 0: they don't
	mute  atomic.Pointer[string] // a server that reads nothing
	set   func(*config.Config)   // of servers that are added from then on; or nil
}

func inNetwork(t *testing.T, f func(n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		f(&network{t: t, host: make(map[string]*pipeListener), down: make(map[string]bool), open: make(map[string][]net.Conn)})
	})
}

// dial connects a relay.
func (n *network) dial(_ context.Context, _, address string) (net.Conn, error) {
	name, _, _ := net.SplitHostPort(address)
	n.mu.Lock()
	n.when = append(n.when, time.Now())
	l := n.host[name]
	if l == nil || n.down[name] {
		defer n.mu.Unlock()
		if n.why != nil {
			return nil, n.why
		}
		return nil, errors.New("connection refused")
	}
	cut := n.cut
	takes := n.takes
	n.mu.Unlock()
	time.Sleep(takes)
	near, far := net.Pipe()
	if cut > 0 {
		time.AfterFunc(cut, func() { far.Close() })
	}
	select {
	case l.conns <- remoteConn{&deafConn{far, n, name}}:
	case <-l.closed:
		return nil, errors.New("connection refused")
	}
	n.mu.Lock()
	n.open[name] = append(n.open[name], near)
	n.mu.Unlock()
	return near, nil
}

// deafConn is a server's end that may read nothing for a while.
type deafConn struct {
	net.Conn
	n    *network
	name string
}

func (c *deafConn) Read(b []byte) (int, error) {
	for c.n.deaf.Load() || c.n.isMute(c.name) {
		time.Sleep(100 * time.Millisecond)
	}
	return c.Conn.Read(b)
}

func (n *network) isMute(name string) bool {
	mute := n.mute.Load()
	return mute != nil && *mute == name
}

// fail takes a server off the network, and cuts those who are connected; or puts it back.
func (n *network) fail(name string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[name] = down
	for _, c := range n.open[name] {
		c.Close()
	}
	n.open[name] = nil
}

func (n *network) add(name string, l *pipeListener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.host[name] = l
}

func (n *network) dialled() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.when)
}

// node is a sluice in the network.
type node struct {
	*theatre
	log   *journal
	told  []admin.Event
	close func()
}

func (n *network) node(name string, pull map[string]string, push map[string][]string) *node {
	n.t.Helper()
	cfg := config.Default()
	cfg.Pull, cfg.Push = pull, push
	if n.set != nil {
		n.set(&cfg)
	}
	h := &node{theatre: &theatre{house: &house{t: n.t, door: &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}}}, log: new(journal)}
	log := zerolog.New(h.log)
	a := &app{cfg: cfg, log: log, clock: machineClock(), metrics: metrics.New()}
	a.feed = admin.NewFeed(a.clock.now)
	h.app = a
	a.hooks = hooks.New(a.feed, a.clock.now, log, a.metrics)
	a.catalog = packager.NewCatalog(settings(cfg.Window), a.clock.now)
	var err error
	a.gate = (&simulation{}).gate(a)
	if a.rules, err = newRules(cfg.Publish, cfg.Watch, cfg.ABR); err != nil {
		n.t.Fatal(err)
	}
	a.gate.ID, a.gate.Log = name+"-id", log
	a.rtmp = &ingest.Server{Limits: limits(cfg.RTMP), Handler: a.handler(), Log: log, Now: time.Now, Metrics: a.metrics}
	a.http = &httpserve.Server{Catalog: a.catalog, Hold: 7 * time.Second, WriteTimeout: time.Second, Log: log, Now: a.clock.now, Wanted: a.wanted}
	a.ports = &ports.Ports{RTMP: []net.Listener{h.door}}
	a.relay = a.newRelay()
	a.relay.Dial.Net = n.dial
	var mu sync.Mutex
	a.relay.Tell = func(e admin.Event) { mu.Lock(); h.told = append(h.told, e); mu.Unlock() }
	n.add(name, h.door)
	ctx, stop := context.WithCancel(n.t.Context())
	var server sync.WaitGroup
	server.Go(func() {
		if err := a.run(ctx); err != nil {
			n.t.Error(err)
		}
	})
	h.close = func() { stop(); server.Wait() }
	return h
}

// state is that of the n-th relay.
func (h *node) relays() (all []string) {
	for _, r := range h.app.relay.List() {
		all = append(all, r.Direction+" "+r.Stream+" "+r.State)
	}
	return all
}

func (h *node) is(want ...string) {
	h.t.Helper()
	synctest.Wait()
	if got := h.relays(); fmt.Sprint(got) != fmt.Sprint(want) {
		h.t.Errorf("%v, want %v: %+v", got, want, h.app.relay.List())
	}
}

func (h *node) get(path string) (int, string) {
	w := httptest.NewRecorder()
	h.app.http.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func (h *node) state(stream string) string {
	for _, s := range h.app.catalog.Streams() {
		if w := s.Window(); w.Stream.String() == stream {
			return w.State.String()
		}
	}
	return "none"
}

// archive is a server of another kind: it notes what it is sent.
type archive struct {
	mu   sync.Mutex
	all  []*tape
	busy bool
}

type tape struct {
	mu    sync.Mutex
	name  string
	tags  []flv.Tag // frames
	cause error
	over  bool
}

func (a *archive) Publish(_ context.Context, r ingest.Request) (string, ingest.Sink, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy {
		return "", nil, fmt.Errorf("%s?%s is live already: %w", r.Name, r.Query, ingest.ErrBusy)
	}
	t := &tape{name: r.App + " " + r.Name + " " + r.Query}
	a.all = append(a.all, t)
	return r.Name, t, nil
}

func (t *tape) WriteTag(tag flv.Tag) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for packet, err := range flv.Packets(tag) {
		if err == nil && packet.Type == flv.PacketFrame {
			tag.Body = bytes.Clone(tag.Body)
			t.tags = append(t.tags, tag)
		}
	}
	return nil
}

func (t *tape) Close(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over, t.cause = true, cause
}

// archive adds such a server to the network.
func (n *network) archive(name string) (*archive, func()) {
	a := new(archive)
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.add(name, l)
	s := &ingest.Server{Limits: limits(config.Default().RTMP), Handler: a, Log: zerolog.Nop(), Now: time.Now}
	ctx, stop := context.WithCancel(n.t.Context())
	var server sync.WaitGroup
	server.Go(func() { _ = s.Serve(ctx, l) })
	return a, func() { stop(); server.Wait() }
}

// follows tells how many of the pictures that were sent are missing in what was got, which
// begins with a keyframe; and where it begins and ends. Some pictures of the clip are the
// same: it begins where least is missing.
func follows(t *testing.T, sent, got []flv.Tag) (missed, first, last int) {
	t.Helper()
	sent, got = of(flv.TagVideo, sent), of(flv.TagVideo, got)
	if len(got) == 0 || got[0].Body[0]>>4 != 1 {
		t.Fatalf("%d pictures, or no keyframe", len(got))
	}
	missed = -1
	for from := range sent {
		if !bytes.Equal(sent[from].Body[5:], got[0].Body[5:]) {
			continue
		}
		if m, end, ok := along(sent[from:], got); ok && (missed < 0 || m < missed) {
			missed, first, last = m, from, from+end
		}
	}
	if missed < 0 {
		t.Fatal("a picture that was never sent, or out of order")
	}
	return missed, first, last
}

func along(sent, got []flv.Tag) (missed, last int, ok bool) {
	at := 0
	for _, tag := range got {
		from := at
		for at < len(sent) && !bytes.Equal(sent[at].Body[5:], tag.Body[5:]) {
			at++
		}
		if at == len(sent) {
			return 0, 0, false
		}
		missed += at - from
		at++
	}
	return missed, at - 1, true
}

// A stream goes to several servers: one that is there, and one that is down at first, is
// cut off, and is slow. Each gets all of it from a keyframe on, and nobody else sees anything.
func TestPush(t *testing.T) {
	inNetwork(t, func(n *network) {
		good, stopGood := n.archive("good")
		bad, stopBad := n.archive("bad")
		n.fail("bad", true)
		h := n.node("a", nil, map[string][]string{"live/cam1": {"rtmp://good/app/inst/SECRETKEY?a=SECRETARG", "rtmp://anna:SECRETPASS@bad:1936/live/SECRETKEY"}})
		h.is("push live/cam1 idle", "push live/cam1 idle")
		p := h.encoder()
		h.publish(p, 4*time.Second)
		h.is("push live/cam1 live", "push live/cam1 failed")
		viewer, err := h.play("cam1", client.Tells{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		n.fail("bad", false)
		h.publish(p, 24*time.Second)
		h.is("push live/cam1 live", "push live/cam1 live")
		n.fail("bad", true)
		h.publish(p, 24*time.Second)
		h.is("push live/cam1 live", "push live/cam1 failed")
		n.fail("bad", false)
		h.publish(p, 32*time.Second)
		h.is("push live/cam1 live", "push live/cam1 live")
		p.Close()
		<-viewer.done
		synctest.Wait()
		h.is("push live/cam1 idle", "push live/cam1 idle")
		if len(good.all) != 1 || !good.all[0].over || good.all[0].cause != nil || good.all[0].name != "app/inst SECRETKEY a=SECRETARG" {
			t.Fatalf("the good one got %d publications: %+v", len(good.all), good.all[0].name)
		}
		all := len(of(flv.TagVideo, h.sent))
		if missed, first, last := follows(t, h.sent, good.all[0].tags); missed != 0 || first > 0 || last != all-1 {
			t.Errorf("the good one: %d missed, from %d to %d of %d", missed, first, last, all)
		}
		if missed, _, last := follows(t, h.sent, viewer.got); missed != 0 || last != all-1 {
			t.Errorf("a viewer missed %d, to %d of %d", missed, last, all)
		}
		if len(bad.all) != 2 || bad.all[0].cause == nil || bad.all[1].cause != nil {
			t.Fatalf("the bad one got %d publications", len(bad.all))
		}
		for i, tape := range bad.all {
			if missed, first, last := follows(t, h.sent, tape.tags); missed != 0 || first == 0 {
				t.Errorf("the bad one, %d: %d missed, from %d to %d of %d", i, missed, first, last, all)
			}
		}
		// Twice in a while that it was away, at least; and no more often than each second.
		relays := h.app.relay.List()
		if f := relays[1].Failures; f < 5 || f > 20 || relays[0].Failures != 0 || relays[0].Bytes == 0 {
			t.Errorf("%+v", relays)
		}
		h.close()
		stopGood()
		stopBad()
		shown, _ := json.Marshal(relays)
		for what, text := range map[string]string{"log": h.log.String(), "API": string(shown), "events": fmt.Sprintf("%+v", h.told)} {
			if strings.Contains(text, "SECRET") || strings.Contains(text, "anna") {
				t.Errorf("%s: %s", what, text)
			}
			if !strings.Contains(text, "bad:1936") {
				t.Errorf("%s doesn't name the server: %s", what, text)
			}
		}
	})
}

// A target that takes nothing for a while goes on with a newer keyframe; one that takes
// nothing for longer is given up, and tried again. What waits for it has a bound, and is
// counted.
func TestPushSlow(t *testing.T) {
	inNetwork(t, func(n *network) {
		slow, stop := n.archive("slow")
		h := n.node("a", nil, map[string][]string{"live/cam1": {"rtmp://slow/live/x"}})
		p := h.encoder()
		h.publish(p, 4*time.Second)
		viewer, err := h.play("cam1", client.Tells{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		n.deaf.Store(true)
		h.publish(p, 8*time.Second)
		if held := h.app.pinned(); held > 8<<20 {
			t.Errorf("%d bytes wait for it", held)
		}
		n.deaf.Store(false)
		h.publish(p, 8*time.Second)
		r := h.app.relay.List()[0]
		if r.Skips == 0 || r.Failures != 0 || r.State != "live" {
			t.Errorf("%+v", r)
		}
		n.deaf.Store(true)
		h.publish(p, 16*time.Second)
		if r := h.app.relay.List()[0]; r.Failures == 0 || !strings.Contains(r.Why, "timeout") || r.State != "failed" && r.State != "connecting" {
			t.Errorf("%+v", r)
		}
		n.deaf.Store(false)
		h.publish(p, 32*time.Second)
		if r := h.app.relay.List()[0]; r.State != "live" {
			t.Errorf("%+v", r)
		}
		p.Close()
		<-viewer.done
		if missed, _, last := follows(t, h.sent, viewer.got); missed != 0 || last != len(of(flv.TagVideo, h.sent))-1 {
			t.Errorf("a viewer missed %d", missed)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i, tape := range slow.all {
			video := of(flv.TagVideo, tape.tags)
			for j := 1; j < len(video); j++ {
				if video[j].Timestamp-video[j-1].Timestamp > 500 && video[j].Body[0]>>4 != 1 {
					t.Errorf("%d goes on without a keyframe", i)
				}
			}
		}
		h.close()
		stop()
	})
}

// A target that says no is asked again and again, ever less often; what it says is told
// without what is secret.
func TestPushRefused(t *testing.T) {
	inNetwork(t, func(n *network) {
		a, stop := n.archive("b")
		a.busy = true
		h := n.node("a", nil, map[string][]string{"live/cam1": {"rtmp://b/live/SECRETKEY?token=SECRETTOKEN"}})
		p := h.encoder()
		done := make(chan struct{})
		go func() { defer close(done); h.publish(p, 5*time.Minute) }()
		<-done
		n.mu.Lock()
		var least, most time.Duration = time.Hour, 0
		for i := 1; i < len(n.when); i++ {
			least, most = min(least, n.when[i].Sub(n.when[i-1])), max(most, n.when[i].Sub(n.when[i-1]))
		}
		t.Logf("%d tries in 5 minutes, %v to %v apart", len(n.when), least, most)
		k := len(n.when)
		n.mu.Unlock()
		if k < 15 || k > 32 || least < 700*time.Millisecond || most > 20*time.Second {
			t.Errorf("%d tries, %v to %v apart", k, least, most)
		}
		if r := h.app.relay.List()[0]; !strings.Contains(r.Why, "NetStream.Publish.BadName") || strings.Contains(r.Why, "SECRET") || r.Again == nil {
			t.Errorf("%+v", r)
		}
		p.Close()
		h.close()
		stop()
		if strings.Contains(h.log.String(), "SECRET") || strings.Count(h.log.String(), `"level":"warn"`) != 1 {
			t.Errorf("the log: %s", h.log)
		}
	})
}

// What is fetched is a publication like any other: it goes on where it was when the other
// server was away, or its encoder.
func TestPull(t *testing.T) {
	inNetwork(t, func(n *network) {
		a := n.node("a", nil, nil)
		b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1"}, nil)
		p := a.encoder()
		a.publish(p, 8*time.Second)
		b.is("pull live/copy live")
		viewer, err := b.play("copy", client.Tells{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		first := len(a.sent)
		a.publish(p, 16*time.Second)
		n.fail("a", true)
		a.publish(p, 8*time.Second)
		b.is("pull live/copy failed")
		if s := b.state("live/copy"); s != "waiting" {
			t.Errorf("while the server is away, the stream is %s", s)
		}
		n.fail("a", false)
		a.publish(p, 40*time.Second)
		b.is("pull live/copy live")
		p.Abort() // its encoder is lost, and back
		time.Sleep(5 * time.Second)
		p = a.encoder()
		a.publish(p, 24*time.Second)
		b.is("pull live/copy live")
		if sessions := a.app.readers.List(); len(sessions) != 1 || !sessions[0].Relay || sessions[0].Bytes == 0 {
			t.Errorf("readers: %+v", sessions)
		}
		if s := b.app.gate.Sessions(); len(s) != 2 || s[0].By != "pull" {
			t.Errorf("sessions: %+v", s)
		}
		p.Close()
		time.Sleep(time.Minute) // and a goodbye is no more than that
		if s := b.state("live/copy"); s != "ended" {
			t.Errorf("it is %s", s)
		}
		<-viewer.done
		if viewer.err != io.EOF {
			t.Error(viewer.err)
		}
		sent, got := of(flv.TagVideo, a.sent), of(flv.TagVideo, viewer.got)
		if len(got) == 0 || len(got) < len(sent)-len(of(flv.TagVideo, a.sent[:first]))-20*30 { // it is away for 8 s, and the next try may be 10 s later
			t.Errorf("%d of %d pictures", len(got), len(sent))
		}
		for i := 1; i < len(got); i++ {
			if int32(got[i].Timestamp-got[i-1].Timestamp) < 0 {
				t.Fatal("timestamps go back")
			}
		}
		b.close()
		a.close()
	})
}

// What is fetched on demand is fetched while somebody wants it, and what nobody has
// configured costs nothing.
func TestPullOnDemand(t *testing.T) {
	inNetwork(t, func(n *network) {
		a := n.node("a", nil, nil)
		b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1#on_demand"}, nil)
		p := a.encoder()
		sent := make(chan struct{})
		go func() { defer close(sent); a.publish(p, 4*time.Minute) }()
		time.Sleep(time.Minute)
		began := time.Now()
		if code, _ := b.get("/live/other/index.m3u8"); code != 404 || n.dialled() > 0 || time.Since(began) > 0 {
			t.Errorf("a name that nobody has configured: %d, %d dialled, %v", code, n.dialled(), time.Since(began))
		}
		b.is("pull live/copy idle")
		code, body := b.get("/live/copy/index.m3u8")
		if code != 200 || !strings.Contains(body, "#EXT-X-STREAM-INF") || time.Since(began) > 5*time.Second {
			t.Errorf("the first viewer: %d after %v", code, time.Since(began))
		}
		for range 20 {
			time.Sleep(3 * time.Second)
			if code, _ := b.get("/live/copy/v1.m3u8"); code != 200 {
				t.Errorf("later: %d", code)
			}
		}
		b.is("pull live/copy live")
		time.Sleep(unwantedFor + 2*time.Second)
		b.is("pull live/copy idle")
		if s := b.state("live/copy"); s != "none" {
			t.Errorf("when nobody wants it, the stream is %s", s)
		}
		dialled := n.dialled()
		viewer, err := b.play("copy", client.Tells{}, nil) // by RTMP, too, for longer than that
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(unwantedFor + 15*time.Second)
		b.is("pull live/copy live")
		if n.dialled() != dialled+1 {
			t.Errorf("dialled %d times for one reader", n.dialled()-dialled)
		}
		<-sent
		p.Close()
		time.Sleep(2 * time.Minute) // a reader leaves with the end, and then nobody wants it
		<-viewer.done
		b.is("pull live/copy idle")
		dialled = n.dialled()
		time.Sleep(10 * time.Minute)
		if n.dialled() != dialled {
			t.Errorf("dialled %d times for nobody", n.dialled()-dialled)
		}
		b.close()
		a.close()
	})
}

const unwantedFor = 30 * time.Second

// Servers that play each other's stream, or their own, go in no circle: when the encoder
// leaves, the stream ends everywhere, and what is tried on has bounds.
func TestRelayCircles(t *testing.T) {
	for name, c := range map[string]struct {
		pull, push [3]string // of a, b and c
	}{
		"itself":             {pull: [3]string{"rtmp://a/live/cam1"}},
		"itself, on demand":  {pull: [3]string{"rtmp://a/live/cam1#on_demand"}},
		"two pull":           {pull: [3]string{"rtmp://b/live/cam1", "rtmp://a/live/cam1"}},
		"two on demand":      {pull: [3]string{"rtmp://b/live/cam1#on_demand", "rtmp://a/live/cam1#on_demand"}},
		"two push":           {push: [3]string{"rtmp://b/live/cam1", "rtmp://a/live/cam1"}},
		"push to itself":     {push: [3]string{"rtmp://a/live/cam1"}},
		"three pull":         {pull: [3]string{"rtmp://c/live/cam1", "rtmp://a/live/cam1", "rtmp://b/live/cam1"}},
		"three push":         {push: [3]string{"rtmp://b/live/cam1", "rtmp://c/live/cam1", "rtmp://a/live/cam1"}},
		"pull and push back": {pull: [3]string{"", "rtmp://a/live/cam1"}, push: [3]string{"", "rtmp://c/live/cam1", "rtmp://a/live/cam1"}},
	} {
		t.Run(name, func(t *testing.T) {
			inNetwork(t, func(n *network) {
				var nodes []*node
				for i, name := range []string{"a", "b", "c"} {
					var pull map[string]string
					var push map[string][]string
					if c.pull[i] != "" {
						pull = map[string]string{"live/cam1": c.pull[i]}
					}
					if c.push[i] != "" {
						push = map[string][]string{"live/cam1": {c.push[i]}}
					}
					nodes = append(nodes, n.node(name, pull, push))
				}
				ask := func() {
					for _, h := range nodes {
						go h.get("/live/cam1/index.m3u8")
					}
				}
				p := nodes[0].encoder()
				ask()
				nodes[0].publish(p, 24*time.Second)
				ask()
				nodes[0].publish(p, 8*time.Second)
				p.Abort()
				ask()
				time.Sleep(5 * time.Minute)
				for i, h := range nodes {
					if s := h.state("live/cam1"); s != "none" && s != "ended" {
						t.Errorf("%d: the stream is %s", i, s)
					}
				}
				before := n.dialled()
				time.Sleep(10 * time.Minute)
				if tries := n.dialled() - before; tries > 3*60 || strings.Contains(name, "demand") && tries > 0 {
					t.Errorf("%d tries in 10 minutes with nothing to relay", tries)
				}
				for _, h := range nodes {
					h.close()
				}
			})
		})
	}
}

// A configuration that is read again adds and takes away pulls and pushes, and leaves
// alone what is in both.
func TestRelayReload(t *testing.T) {
	inNetwork(t, func(n *network) {
		one, stopOne := n.archive("one")
		two, stopTwo := n.archive("two")
		h := n.node("a", nil, map[string][]string{"live/cam1": {"rtmp://one/live/x", "rtmp://two/live/x"}})
		p := h.encoder()
		h.publish(p, 4*time.Second)
		next := h.app.cfg
		next.Push = map[string][]string{"live/cam1": {"rtmp://two/live/x"}}
		h.app.reread = func() (config.Config, error) { return next, nil }
		if err := h.app.readAgain(); err != nil {
			t.Fatal(err)
		}
		h.publish(p, 4*time.Second)
		h.is("push live/cam1 live")
		if len(one.all) != 1 || !one.all[0].over || one.all[0].cause != nil || len(two.all) != 1 || two.all[0].over {
			t.Error("the one that is gone has no goodbye, or the other one has")
		}
		next.Push = map[string][]string{"live/cam1": {"rtmp://two/live/x", "rtmp://one/live/x"}}
		if err := h.app.readAgain(); err != nil {
			t.Fatal(err)
		}
		h.publish(p, 4*time.Second)
		h.is("push live/cam1 live", "push live/cam1 live")
		if len(one.all) != 2 || len(two.all) != 1 {
			t.Errorf("%d and %d publications", len(one.all), len(two.all))
		}
		shown := h.app.relayed(h.app.cfg)
		if len(shown.Push["live/cam1"]) != 2 || len(needRestart(h.app.cfg, next)) > 0 {
			t.Error("the configuration in force has them not, or a restart is said to be needed")
		}
		p.Close()
		h.close()
		stopOne()
		stopTwo()
	})
}
