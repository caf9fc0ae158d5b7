package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/cmd/sluice/hooks"
	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/cmd/sluice/ports"
	"github.com/sluice-live/sluice/cmd/sluice/readers"
	"github.com/sluice-live/sluice/cmd/sluice/relay"
	"github.com/sluice-live/sluice/cmd/sluice/systemd"
	"github.com/sluice-live/sluice/cmd/sluice/upgrade"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/web"
)

const (
	// drainTime is how long viewers can fetch the end of their streams when
	// the server stops: about one reload of a playlist.
	drainTime = 3 * time.Second
	// closeTime is what requests under way get after that.
	closeTime = 3 * time.Second
	// stopTime is the longest that all of it takes, with encoders that don't read.
	stopTime = 30 * time.Second

	expireInterval = time.Second
)

// app is the server: all rooms, built and connected.
type app struct {
	cfg     config.Config
	log     zerolog.Logger
	clock   *clock
	metrics *metrics.Set
	catalog *packager.Catalog
	gate    *gate.Gate
	rtmp    *ingest.Server
	http    *httpserve.Server
	rules   *rules
	readers *readers.Readers              // nil where nobody may play by RTMP
	relay   *relay.Relay                  // nil in tests that need none
	relays  atomic.Pointer[config.Config] // whose pulls and pushes there are since it was read again; or nil
	ready   atomic.Bool
	began   time.Time

	level  string                        // of the log, as the configuration said last; obey's
	again  <-chan os.Signal              // to read the rules again
	reread func() (config.Config, error) // what the configuration says now
	reload chan chan<- error             // the same wish, of one who wants to know what came of it

	feed    *admin.Feed // nil: nobody is told
	lines   *admin.Log  // of the log; nil: nobody reads along
	history admin.History
	preview *httpserve.Server // what operators look at
	hooks   *hooks.Hooks
	told    atomic.Pointer[config.Hooks] // what hooks go by

	renew <-chan os.Signal // to let a new process take over
	up    upgrading

	ports   *ports.Ports
	manager *systemd.Manager // nil: nobody has started us who wants to know how we are
	beat    atomic.Int64     // when expire was last through all rooms, ns since 1970
}

// listen builds the server and opens its ports.
func listen(cfg config.Config, log zerolog.Logger) (*app, error) {
	return listenOn(cfg, new(systemd.Sockets), log, nil)
}

// listenOn does so where some of them may be open already. lines has what log writes; it
// may be nil.
func listenOn(cfg config.Config, open *systemd.Sockets, log zerolog.Logger, lines *admin.Log) (*app, error) {
	return listenBehind(nil, upgrade.Inheritance{}, cfg, open, log, lines)
}

// listenBehind does so in the place of another process.
func listenBehind(before *upgrade.Neighbour, from upgrade.Inheritance, cfg config.Config, open *systemd.Sockets, log zerolog.Logger, lines *admin.Log) (*app, error) {
	a := &app{cfg: cfg, level: cfg.Log.Level, log: log, lines: lines, clock: machineClock(), metrics: metrics.New(), reload: make(chan chan<- error)}
	a.clock.ahead(from.Clock)
	a.began, a.feed = a.clock.now().UTC(), admin.NewFeed(a.clock.now)
	a.hooks = hooks.New(a.feed, a.clock.now, log.With().Str("room", "hooks").Logger(), a.metrics)
	err := a.tellHooks(cfg.Hooks)
	if err != nil {
		return nil, err
	}
	if a.rules, err = rulesBehind(from.Secret, cfg.Publish, cfg.Watch, cfg.ABR); err != nil {
		return nil, err
	}
	set := settings(cfg.Window)
	set.Backup, set.BackupAfter, set.BackupReturn = cfg.Publish.Backup, cfg.Publish.BackupAfter, cfg.Publish.BackupReturn
	set.Sound, set.OnPart = cfg.ABR.Audio, a.metrics.Part
	set.Genlock = set.Backup || len(cfg.ABR.Suffixes) > 0
	a.catalog = packager.NewCatalog(set, a.clock.now)
	a.metrics.Streams(a.states)
	a.metrics.Pinned(a.pinned)
	a.gate = &gate.Gate{
		Catalog: a.catalog, Access: a.rules.publishers.Load, Now: a.clock.now, Log: log, Metrics: a.metrics, Budget: memory.NewBudget(cfg.Window),
		Suffixes: cfg.ABR.Suffixes, Backup: cfg.Publish.Backup, Tell: a.feed.Tell, ID: rand.Text()[:12],
	}
	a.gate.Between, a.gate.Segment = crew{a.gate}.between, cfg.Window.SegmentMinDuration
	a.metrics.Unwell(a.gate.Unwell)
	if err := limitPublications(a.gate, cfg.RTMP); err != nil {
		return nil, err
	}
	a.rtmp = &ingest.Server{
		Limits:  limits(cfg.RTMP),
		Handler: a.handler(),
		Log:     log.With().Str("room", "ingest").Logger(),
		Metrics: a.metrics,
		Now:     time.Now, // it sets deadlines
		RTMPE:   cfg.RTMP.RTMPE,
	}
	a.http = &httpserve.Server{
		Catalog:      a.catalog,
		Hold:         cfg.HTTP.HoldTimeout,
		WriteTimeout: cfg.HTTP.WriteTimeout,
		Waits:        httpserve.Waits{PerAddress: cfg.HTTP.MaxWaitsPerAddress, PerStream: cfg.HTTP.MaxWaitsPerStream},
		Log:          log.With().Str("room", "httpserve").Logger(),
		Metrics:      a.metrics,
		Now:          a.clock.now,
		Viewers:      a.rules.watching,
		Watermark:    cfg.Watch.Watermark,
	}
	a.http.Publishing = a.publishing
	a.http.Elsewhere = a.elsewhere
	if a.up.before = before; before != nil {
		a.gate.Claim = a.claim
	}
	a.preview = &httpserve.Server{
		Catalog: a.catalog, Hold: cfg.HTTP.HoldTimeout, WriteTimeout: cfg.HTTP.WriteTimeout, Log: a.http.Log, Metrics: a.metrics, Now: a.clock.now,
	}
	a.relay = a.newRelay()
	a.http.Wanted = a.wanted
	a.metrics.EachRelay(a.relay.Counts)
	a.metrics.EachStream(desk{a.gate, a}.each)
	if a.rules.viewers.Load().NeedsPass() && cfg.Watch.Secret == "" {
		log.Info().Msg("watch.secret is empty: after a restart, viewers must show a token again")
	}
	if a.http.Proxies, err = address.ParseNetworks(cfg.HTTP.ForwardedFrom); err != nil {
		return nil, err
	}
	if a.http.Waits.Exempt, err = address.ParseNetworks(cfg.HTTP.UnlimitedFrom); err != nil {
		return nil, err
	}
	a.ports, err = ports.Open(cfg, a.rooms(), open, a.metrics, log)
	if err != nil {
		return nil, err
	}
	a.rtmp.TLS, a.rtmp.Watch = a.ports.TLS, a.whereToWatch()
	return a, nil
}

// settings and limits are what the configuration says to the rooms.
func settings(c config.Window) packager.Settings {
	return packager.Settings{
		Segments:           c.Segments,
		SegmentMinDuration: c.SegmentMinDuration,
		SegmentMaxDuration: c.SegmentMaxDuration,
		PartDuration:       c.PartDuration,
		MaxBytes:           int(c.MaxStreamMemory),
		TargetDuration:     c.TargetDuration,
		FrameFragments:     c.FrameChunks,
		Grace:              c.Grace,
		Linger:             c.Linger,
	}
}

// limitPublications lets an address publish as often as it may connect.
func limitPublications(g *gate.Gate, c config.RTMP) error {
	exempt, err := address.ParseNetworks(c.UnlimitedFrom)
	if err != nil || c.ConnectionRate == 0 {
		return err
	}
	g.LimitAddresses(gate.Rate{Burst: c.ConnectionBurst, Refill: time.Second / time.Duration(c.ConnectionRate)}, exempt)
	return nil
}

func limits(c config.RTMP) ingest.Limits {
	messages := chunk.DefaultLimits()
	messages.MediaSize = uint32(c.MaxMessageSize)
	messages.ChunkStreams = c.MaxChunkStreams
	return ingest.Limits{
		HandshakeTimeout: c.HandshakeTimeout,
		PublishTimeout:   c.PublishTimeout,
		IdleTimeout:      c.IdleTimeout,
		WriteTimeout:     c.WriteTimeout,
		MessageTimeout:   c.MessageTimeout,
		Bitrate:          c.MaxBitrate * 1000,
		Chunk:            messages,
	}
}

// rooms are what answers behind the ports.
func (a *app) rooms() ports.Rooms {
	return ports.Rooms{
		Viewers: a.http.Handler(),
		Front:   a.http.Front,
		Locate:  a.http.Locate,
		Operators: func(attend func(http.Handler) http.Handler) http.Handler {
			s := &admin.Server{
				House: desk{a.gate, a}, Crew: crew{a.gate}, Token: a.cfg.Admin.Token, WriteTimeout: a.http.WriteTimeout, Metrics: a.metrics,
				Feed: a.feed, Log: a.lines, History: &a.history, Preview: a.preview.Preview(), Now: a.clock.now,
			}
			return a.http.OperatorsFront(s.Handler(attend), admin.Refuse)
		},
		Log: a.http.Log,
	}
}

// run serves until ctx ends, then stops in order: publishers first, so that
// all streams end properly; viewers when they could fetch those ends.
func (a *app) run(ctx context.Context) error {
	if err := a.succeed(ctx); err != nil {
		a.ports.Close()
		return err
	}
	a.ready.Store(true)
	a.beat.Store(time.Now().UnixNano())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.up.stop = cancel
	// Publishers have a context of their own: how many are live is counted
	// before they are told to end.
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var failed atomic.Pointer[error]
	fail := func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
			cancel()
		}
	}

	var publishers, viewers sync.WaitGroup
	for _, l := range a.ports.RTMP {
		publishers.Go(func() { fail(a.rtmp.Serve(publishing, l)) })
	}
	for _, d := range a.ports.Ways {
		viewers.Go(func() { fail(d.Serve()) })
	}
	publishers.Go(func() { a.expire(publishing) })
	publishers.Go(func() { a.report(publishing) })
	var telling sync.WaitGroup
	telling.Go(a.hooks.Run)
	// What is sent on to other servers is told of the ends of streams, too.
	pushing, quiet := context.WithCancel(context.WithoutCancel(ctx))
	defer quiet()
	var relays sync.WaitGroup
	if a.relay != nil {
		relays.Go(func() { a.relay.Run(publishing, pushing) })
	}
	webhook := &herald{lost: a.lost}
	a.manager.Ready(a.status())
	a.obey(ctx, webhook)
	fresh := failed.Load() == nil && a.await(publishing, webhook) // some streams have just ended
	a.ready.Store(false)
	var before sync.WaitGroup
	if n := a.up.before; n != nil && a.up.other.Load() == n { // what is there ends with this process
		last, done := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.RTMP.DrainTime+stopTime)
		defer done()
		before.Go(func() { n.Stop(last) })
	}
	live := a.live()
	a.manager.Stopping(stopTime, fmt.Sprintf("stopping: %d live streams end, their viewers fetch the rest", live))
	a.log.Info().Int("live", live).Msg(farewell(live > 0 || fresh))
	stop()
	publishers.Wait()
	webhook.quiet()
	a.catalog.End()
	a.gate.Patrol() // so that the ends are told
	a.feed.Close()  // who listens would hold up the end
	a.lines.Close()
	if live > 0 || fresh {
		time.Sleep(drainTime)
	}
	before.Wait()
	quiet()
	relays.Wait()
	a.up.all.Wait()
	a.shutdown()
	if b := a.up.behind; b != nil {
		b.Close()
	}
	a.up.serving.Wait()
	viewers.Wait()
	webhook.running.Wait()
	telling.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// farewell is the last line of the log. Who starts the next server at once should know
// that the ports are in use until then.
func farewell(viewers bool) string {
	if !viewers {
		return "stopping"
	}
	return fmt.Sprintf("stopping: viewers fetch the ends of their streams for %v; a second signal (Ctrl-C) ends this at once", drainTime)
}

// lost is for what the webhook could not be told.
func (a *app) lost(q access.Question, err error) {
	a.log.Warn().Err(err).Str("stream", q.Path).Msg("the webhook wasn't told of the end of a stream")
}

func (a *app) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var all sync.WaitGroup
	for _, d := range a.ports.Ways {
		all.Go(func() {
			if err := d.Shutdown(ctx); err != nil {
				d.Close()
			}
		})
	}
	all.Wait()
}

// elsewhere has another process answer, if there is one.
func (a *app) elsewhere(w http.ResponseWriter, r *http.Request) bool {
	n := a.up.other.Load()
	return n != nil && n.Forward(w, r)
}

// live counts the streams that have a publisher.
func (a *app) live() int {
	n := 0
	for _, s := range a.catalog.Streams() {
		if s.Window().State != packager.Ended {
			n++
		}
	}
	return n
}

// states counts the streams by where they are in their lives.
func (a *app) states() map[string]int {
	states := make(map[string]int)
	for _, s := range packager.States {
		states[s.String()] = 0
	}
	for _, s := range a.catalog.Streams() {
		states[s.Window().State.String()]++
	}
	return states
}

// pinned is how many bytes slow viewers alone keep in memory.
func (a *app) pinned() (n int) {
	for _, s := range a.catalog.Streams() {
		n += s.Pinned()
	}
	return n
}

// expire lets the catalog end and forget streams whose time is over.
func (a *app) expire(ctx context.Context) {
	tick := time.NewTicker(expireInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.catalog.Expire()
			a.ports.LookAtCertificates(time.Now())
			a.gate.Patrol()
			if a.readers != nil && a.up.other.Load() == nil { // else they hear it from their streams
				a.readers.MoveOn(a.gate.Moves())
			}
			a.http.ForgetAudiences()
			a.history.Look(a.clock.now(), a.catalog.Streams(), a.http.Watching)
			a.beat.Store(time.Now().UnixNano())
			if len(a.catalog.Streams()) == 0 && a.up.other.Load() == nil {
				a.clock.settle()
			}
		case <-ctx.Done():
			return
		}
	}
}

// publishing is what the front page tells: where encoders come in, and with what.
func (a *app) publishing() web.Publishing {
	return web.Publishing{RTMP: portOf(a.ports.Addr.RTMP), RTMPS: portOf(a.ports.Addr.RTMPS), Needs: *a.rules.needs.Load()}
}

// portOf is the port of a listener; 0 where there is none.
func portOf(addr net.Addr) int {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// whereToWatch is what browsers are told that come to the encoders' port.
func (a *app) whereToWatch() string {
	for _, way := range []struct {
		scheme string
		addr   net.Addr
	}{{"https", a.ports.Addr.HTTPS}, {"http", a.ports.Addr.HTTP}} {
		if tcp, ok := way.addr.(*net.TCPAddr); ok {
			return fmt.Sprintf("To watch, open %s://HOST:%d/APP/NAME/ in a browser.", way.scheme, tcp.Port)
		}
	}
	return ""
}

// banner prints what to paste into an encoder and a browser, and where the dashboard is.
func (a *app) banner(w io.Writer) {
	host := lanAddress()
	fmt.Fprintf(w, "sluice %s\n\n", moduleVersion())
	key := "cam1"
	if len(a.cfg.Publish.Keys) > 0 {
		key = "KEY" // of cam1: only its encoder knows it
	}
	if a.ports.Addr.RTMP != nil {
		fmt.Fprintf(w, "  Publish   OBS:     Server rtmp://%s/live   Stream key %s\n", hostPort(host, a.ports.Addr.RTMP, 1935), key)
		fmt.Fprintf(w, "            ffmpeg:  … -f flv rtmp://%s/live/%s\n", hostPort(host, a.ports.Addr.RTMP, 1935), key)
	}
	if a.ports.Addr.RTMPS != nil {
		fmt.Fprintf(w, "            TLS:     rtmps://%s/live/%s\n", hostPort(host, a.ports.Addr.RTMPS, 443), key)
	}
	if a.ports.Addr.HTTP != nil {
		fmt.Fprintf(w, "  Watch     http://%s/live/cam1/\n", hostPort(host, a.ports.Addr.HTTP, 80))
	}
	if a.ports.Addr.HTTPS != nil {
		fmt.Fprintf(w, "            https://%s/live/cam1/\n", hostPort(host, a.ports.Addr.HTTPS, 443))
	}
	if a.ports.Addr.Admin != nil {
		fmt.Fprintf(w, "  Manage    http://%s/\n", hostPort(host, a.ports.Addr.Admin, 80))
	}
	fmt.Fprintln(w)
}

func hostPort(host string, bound net.Addr, standard int) string {
	tcp, ok := bound.(*net.TCPAddr)
	if !ok {
		return host
	}
	if !tcp.IP.IsUnspecified() {
		host = tcp.IP.String()
	}
	if tcp.Port == standard {
		return host
	}
	return net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// lanAddress is this machine's address as others on its network know it.
func lanAddress() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsPrivate() {
			return ip.IP.String()
		}
	}
	return "localhost"
}
