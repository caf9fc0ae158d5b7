package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/gather"
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

	expireInterval = time.Second
)

// app is the server: all rooms, built and connected.
type app struct {
	cfg     config.Config
	log     zerolog.Logger
	clock   *clock
	metrics *metrics.Set
	catalog *packager.Catalog
	gate    *gate
	rtmp    *ingest.Server
	http    *httpserve.Server
	rules   *rules
	ready   atomic.Bool

	again  <-chan os.Signal              // to read the rules again
	reread func() (config.Config, error) // what the configuration says now

	rtmpListeners []net.Listener
	ways          []way
	certificates  []*certificate                                     // on disk; nil where there is none
	addr          struct{ rtmp, rtmps, http, https, admin net.Addr } // nil when off
}

// listen builds the server and opens its ports.
func listen(cfg config.Config, log zerolog.Logger) (*app, error) {
	a := &app{cfg: cfg, log: log, clock: machineClock(), metrics: metrics.New()}
	var err error
	if a.rules, err = newRules(cfg.Publish, cfg.Watch); err != nil {
		return nil, err
	}
	a.catalog = packager.NewCatalog(settings(cfg.Window), a.clock.now)
	a.metrics.Streams(a.states)
	a.metrics.Pinned(a.pinned)
	a.gate = &gate{catalog: a.catalog, access: a.rules.publishers.Load, now: a.clock.now, log: log, metrics: a.metrics, budget: newBudget(cfg.Window)}
	if err := a.gate.turns.configure(cfg.RTMP); err != nil {
		return nil, err
	}
	a.rtmp = &ingest.Server{
		Limits:  limits(cfg.RTMP),
		Handler: a.gate,
		Log:     log.With().Str("room", "ingest").Logger(),
		Metrics: a.metrics,
		Now:     time.Now, // it sets deadlines
	}
	a.http = &httpserve.Server{
		Catalog:      a.catalog,
		Hold:         cfg.HTTP.HoldTimeout,
		WriteTimeout: cfg.HTTP.WriteTimeout,
		AdminToken:   cfg.Admin.Token,
		Waits:        httpserve.Waits{PerAddress: cfg.HTTP.MaxWaitsPerAddress, PerStream: cfg.HTTP.MaxWaitsPerStream},
		Log:          log.With().Str("room", "httpserve").Logger(),
		Metrics:      a.metrics,
		Now:          a.clock.now,
		Viewers:      a.rules.watching,
		Watermark:    cfg.Watch.Watermark,
	}
	a.http.Publishing = a.publishing
	if a.rules.viewers.Load().NeedsPass() && cfg.Watch.Secret == "" {
		log.Info().Msg("watch.secret is empty: after a restart, viewers must show a token again")
	}
	if a.http.Proxies, err = address.ParseNetworks(cfg.HTTP.ForwardedFrom); err != nil {
		return nil, err
	}
	if a.http.Waits.Exempt, err = address.ParseNetworks(cfg.HTTP.UnlimitedFrom); err != nil {
		return nil, err
	}
	if err := a.open(); err != nil {
		a.closeListeners()
		return nil, err
	}
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

func (a *app) open() error {
	watch := func(listener string) certificateWatch { return newCertificateWatch(listener, a.log, a.metrics) }
	rtmpFiles, err := openCertificate(a.cfg.RTMP.TLSCert, a.cfg.RTMP.TLSKey, watch("rtmps"))
	if err != nil {
		return fmt.Errorf("rtmp.tls_cert: %w", err)
	}
	httpFiles, err := openCertificate(a.cfg.HTTP.TLSCert, a.cfg.HTTP.TLSKey, watch("https"))
	if err != nil {
		return fmt.Errorf("http.tls_cert: %w", err)
	}
	a.certificates = []*certificate{rtmpFiles, httpFiles}
	acme := newAuthority(a.cfg.ACME)
	if acme != nil {
		acme.watch = watch("acme")
	}
	rtmpTLS, httpTLS := acme.tls(rtmpFiles.tls()), acme.tls(httpFiles.tls())
	encoders, viewers, err := a.newDoors()
	if err != nil {
		return err
	}
	public := a.http.Handler()
	secure := public
	if a.cfg.HTTP.HTTP3 && httpTLS != nil {
		pc, err := net.ListenPacket("udp", a.cfg.HTTP.TLSAddr)
		if err != nil {
			return fmt.Errorf("http.http3: %w", err)
		}
		quic, advertise := quicWay(public, pc, httpTLS, newEntrance(viewers, a.cfg.HTTP.MaxPerAddress))
		a.ways = append(a.ways, quic)
		secure = advertise(public)
	}
	rtmp := func(l net.Listener) { a.rtmpListeners = append(a.rtmpListeners, l) }
	web := func(h http.Handler) func(net.Listener) {
		return func(l net.Listener) { a.ways = append(a.ways, tcpWay(h, l, a.http.Log)) }
	}
	for _, port := range []struct {
		name, field string
		addr        string
		tls         *tls.Config
		secure      bool
		protocols   []string // by ALPN
		door        *door.Door
		use         func(net.Listener)
		bound       *net.Addr
	}{
		{"rtmp", "rtmp.addr", a.cfg.RTMP.Addr, nil, false, nil, encoders, rtmp, &a.addr.rtmp},
		{"rtmps", "rtmp.tls_addr", a.cfg.RTMP.TLSAddr, rtmpTLS, true, nil, encoders, rtmp, &a.addr.rtmps},
		{"http", "http.addr", a.cfg.HTTP.Addr, nil, false, nil, viewers, web(front(a.http, acme, public)), &a.addr.http},
		{"https", "http.tls_addr", a.cfg.HTTP.TLSAddr, httpTLS, true, []string{"h2", "http/1.1"}, viewers, web(secure), &a.addr.https},
		{"admin", "admin.addr", a.cfg.Admin.Addr, nil, false, nil, a.adminDoor(), a.admit, &a.addr.admin},
	} {
		if port.addr == "" || port.secure && port.tls == nil {
			continue
		}
		l, err := net.Listen("tcp", port.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", port.field, err)
		}
		*port.bound = l.Addr()
		if port.door == encoders {
			l = a.gathered(l)
		}
		l = port.door.Listener(l, port.name, refusals[port.name])
		if port.secure {
			c := port.tls.Clone()
			c.NextProtos = acme.protocols(port.protocols)
			l = tls.NewListener(l, c)
		}
		port.use(l)
	}
	return nil
}

// front is what answers on http.addr.
func front(s *httpserve.Server, a *authority, public http.Handler) http.Handler {
	return s.Front(a.answers(public))
}

// gathered is for encoders: all of them send all the time. Viewers ask, and wait
// for the answer.
func (a *app) gathered(l net.Listener) net.Listener {
	l, err := gather.Listener(l)
	if err != nil {
		a.log.Warn().Err(err).Msg("each packet of an encoder wakes the server: it works, but costs more")
	}
	return l
}

func (a *app) closeListeners() {
	for _, l := range a.rtmpListeners {
		l.Close()
	}
	for _, d := range a.ways {
		d.close()
	}
}

// run serves until ctx ends, then stops in order: publishers first, so that
// all streams end properly; viewers when they could fetch those ends.
func (a *app) run(ctx context.Context) error {
	a.ready.Store(true)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
	for _, l := range a.rtmpListeners {
		publishers.Go(func() { fail(a.rtmp.Serve(publishing, l)) })
	}
	for _, d := range a.ways {
		viewers.Go(func() { fail(d.serve()) })
	}
	publishers.Go(func() { a.expire(publishing) })
	webhook := &herald{lost: a.lost}
	a.obey(ctx, webhook)
	a.ready.Store(false)
	live := a.live()
	a.log.Info().Int("live", live).Msg("stopping")
	stop()
	publishers.Wait()
	webhook.quiet()
	a.catalog.End()
	if live > 0 {
		time.Sleep(drainTime)
	}
	a.shutdown()
	viewers.Wait()
	webhook.running.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// lost is for what the webhook could not be told.
func (a *app) lost(q access.Question, err error) {
	a.log.Warn().Err(err).Str("stream", q.Path).Msg("the webhook wasn't told of the end of a stream")
}

func (a *app) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var all sync.WaitGroup
	for _, d := range a.ways {
		all.Go(func() {
			if err := d.shutdown(ctx); err != nil {
				d.close()
			}
		})
	}
	all.Wait()
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
			for _, c := range a.certificates {
				if c != nil {
					c.look(time.Now()) // also where nobody connects
				}
			}
			a.gate.patrol()
			if len(a.catalog.Streams()) == 0 {
				a.clock.settle()
			}
		case <-ctx.Done():
			return
		}
	}
}

// publishing is what the front page tells: where encoders come in, and with what.
func (a *app) publishing() web.Publishing {
	port := func(addr net.Addr) int {
		if tcp, ok := addr.(*net.TCPAddr); ok {
			return tcp.Port
		}
		return 0
	}
	return web.Publishing{RTMP: port(a.addr.rtmp), RTMPS: port(a.addr.rtmps), Needs: *a.rules.needs.Load()}
}

// banner prints what to paste into an encoder and a browser.
func (a *app) banner(w io.Writer) {
	host := lanAddress()
	fmt.Fprintf(w, "sluice %s\n\n", moduleVersion())
	key := "cam1"
	if len(a.cfg.Publish.Keys) > 0 {
		key = "KEY" // of cam1: only its encoder knows it
	}
	if a.addr.rtmp != nil {
		fmt.Fprintf(w, "  Publish   OBS:     Server rtmp://%s/live   Stream key %s\n", hostPort(host, a.addr.rtmp, 1935), key)
		fmt.Fprintf(w, "            ffmpeg:  … -f flv rtmp://%s/live/%s\n", hostPort(host, a.addr.rtmp, 1935), key)
	}
	if a.addr.rtmps != nil {
		fmt.Fprintf(w, "            TLS:     rtmps://%s/live/%s\n", hostPort(host, a.addr.rtmps, 443), key)
	}
	if a.addr.http != nil {
		fmt.Fprintf(w, "  Watch     http://%s/live/cam1/\n", hostPort(host, a.addr.http, 80))
	}
	if a.addr.https != nil {
		fmt.Fprintf(w, "            https://%s/live/cam1/\n", hostPort(host, a.addr.https, 443))
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
