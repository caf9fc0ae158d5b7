package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/ingest/rate"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

const (
	// unwanted is how long a stream that is fetched on demand goes on for nobody.
	unwanted = 30 * time.Second

	// free is how often it is looked whether a name is free that somebody else pushes.
	free = time.Second
)

// pull is one stream on its way from another server.
type pull struct {
	*line
	Pull
	stream packager.StreamName // that the name is of

	wanted atomic.Int64  // when somebody asked for it last, ns since 1970 by the machine's clock
	wake   chan struct{} // somebody has just asked

	mu  sync.Mutex
	via map[string]time.Time // the servers that those have come by who asked of late
}

func (r *Relay) newPull(p Pull) *line {
	l := &line{account: r.account(metrics.Pull, p.Name.String(), 1, p.From)}
	l.shown.OnDemand = p.OnDemand
	one := &pull{line: l, Pull: p, stream: r.Gate.StreamOf(p.Name), wake: make(chan struct{}, 1)}
	l.run, l.pull = one.run, one
	return l
}

// noteWanted makes the table of those on demand anew. r.mu is held.
func (r *Relay) noteWanted() {
	table := make(map[packager.StreamName][]*pull)
	for _, l := range r.lines {
		if l.pull != nil && l.pull.OnDemand {
			table[l.pull.stream] = append(table[l.pull.stream], l.pull)
		}
	}
	if len(table) == 0 {
		table = nil
	}
	r.wanted.Store(&table)
}

// Want tells that somebody asks for a stream, who has come by other servers, the nearest
// first. It tells whether the stream is fetched for that. For any other it does nothing.
func (r *Relay) Want(stream packager.StreamName, via []string) bool {
	table := r.wanted.Load()
	if table == nil || len(*table) == 0 {
		return false
	}
	all := (*table)[stream]
	for _, p := range all {
		p.want(via, time.Now())
	}
	return len(all) > 0
}

func (p *pull) want(via []string, now time.Time) {
	if len(via) > 0 {
		p.mu.Lock()
		if p.via == nil {
			p.via = make(map[string]time.Time)
		}
		const most = 64
		for _, id := range via {
			if _, known := p.via[id]; known || len(p.via) < most {
				p.via[id] = now
			}
		}
		p.mu.Unlock()
	}
	p.wanted.Store(now.UnixNano())
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// askers are this server, and those that ask it for the stream.
func (p *pull) askers() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.via, func(_ string, at time.Time) bool { return time.Since(at) > unwanted })
	return append([]string{p.relay.ID}, slices.Sorted(maps.Keys(p.via))...)
}

// isWanted tells whether the stream is to be fetched now.
func (p *pull) isWanted() bool {
	return !p.OnDemand || time.Since(time.Unix(0, p.wanted.Load())) < unwanted ||
		p.relay.Plays != nil && p.relay.Plays(p.stream)
}

// run fetches the stream, whenever it is wanted, until the context ends.
func (p *pull) run(ctx context.Context) {
	defer p.become(idle)
	var b backoff
	for p.due(ctx) {
		p.become(connecting)
		began := time.Now()
		err := p.once(ctx)
		switch {
		case ctx.Err() != nil:
			if p.now().State == live {
				p.ends("pull ended")
			}
			return
		case errors.Is(err, errUnwanted):
			p.ends("pull ended: nobody wants it")
			b = backoff{}
			continue
		}
		wait := b.wait(time.Since(began))
		p.fails(err, wait)
		if !sleep(ctx, wait) {
			return
		}
	}
}

// due returns when the stream is wanted and its name is free; false when the context
// ended first.
func (p *pull) due(ctx context.Context) bool {
	for {
		wait := time.Hour
		if p.isWanted() {
			if p.relay.Gate.Free(p.Name) {
				return ctx.Err() == nil
			}
			wait = free
		}
		if p.now().State != failed || wait == time.Hour {
			p.become(idle)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-p.wake:
			if wait == free && !sleep(ctx, free) { // whoever asks is not to make it look more often
				timer.Stop()
				return false
			}
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

var (
	errUnwanted = errors.New("nobody wants the stream")
	errEnded    = errors.New("the server has ended the stream")
)

// once connects and fetches the stream until it ends, the context does, nobody wants it,
// or something fails. However it ends, the stream waits for it as for an encoder that was
// lost: a server that ends it can't tell whether it will be back. Only where this server
// ends it, it is over.
func (p *pull) once(ctx context.Context) (err error) {
	limits := p.relay.Limits
	from, err := p.relay.Dial.Play(ctx, p.From, client.Tells{
		Codecs: remux.Codecs(), Tracks: true, Idle: limits.Idle, Limits: limits.Chunk, Via: p.askers(),
	})
	if err != nil {
		return err
	}
	defer from.Close()
	ctx, hang := context.WithCancelCause(ctx)
	defer hang(nil)
	defer context.AfterFunc(ctx, func() { from.Close() })()
	peer := &peer{began: time.Now(), hang: hang}
	first, err := p.first(ctx, from)
	if err != nil {
		return err
	}
	sink, err := p.relay.Gate.Bring(ctx, p.Name, ingest.Request{
		Remote: address.WithPort(from.Remote()), Encrypted: p.From.TLS, Software: "pull", Via: from.Via(), Peer: peer,
	})
	if err != nil {
		return err
	}
	p.begins("pulling")
	for _, tag := range first {
		if err = sink.WriteTag(tag); err != nil {
			break
		}
	}
	if err == nil {
		err = p.copy(ctx, from, sink, peer)
	}
	switch {
	case errors.Is(err, errUnwanted):
		sink.Close(nil)
		p.relay.Catalog.Forget(p.stream) // who comes next begins anew, and not with its end
	case errors.Is(context.Cause(ctx), context.Canceled):
		sink.Close(nil) // this server ends it
	default:
		sink.Close(errors.New(p.other.Hush(err.Error())))
	}
	return err
}

// first waits for the first sound or picture, and returns what came until then: some
// servers say that a stream plays which is not there.
func (p *pull) first(ctx context.Context, from *client.Reader) (tags []flv.Tag, err error) {
	for {
		tag, err := from.ReadTag()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return nil, errEnded
		case err != nil:
			return nil, err
		}
		tag.Body = slices.Clone(tag.Body)
		if tag.Type != flv.TagScript {
			return append(tags, tag), nil
		}
		tags = []flv.Tag{tag} // the newest metadata counts
	}
}

// copy leads tags to a sink.
func (p *pull) copy(ctx context.Context, from *client.Reader, sink ingest.Sink, peer *peer) error {
	var bytes rate.Bucket
	perSecond := float64(p.relay.Limits.Bitrate) / 8
	limit := rate.Limit{PerSecond: perSecond, Burst: perSecond * (catchUp + p.relay.Limits.Idle).Seconds()}
	var counted uint64
	looked := time.Now()
	for {
		tag, err := from.ReadTag()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return errEnded
		case err != nil:
			return err
		}
		now := time.Now()
		peer.heard(now, from.Held())
		if err := sink.WriteTag(tag); err != nil {
			return err
		}
		if now.Sub(looked) < time.Second {
			continue
		}
		looked = now
		n := from.Received() - counted
		counted += n
		p.passed(int(n))
		if perSecond > 0 && !bytes.Take(limit, float64(n), now) {
			p.relay.Metrics.Refused(metrics.Bitrate)
			return fmt.Errorf("more than %d kbit/s for longer than a stall explains: rtmp.max_bitrate in the configuration is the limit", p.relay.Limits.Bitrate/1000)
		}
		if !p.isWanted() {
			return errUnwanted
		}
	}
}

// catchUp is for how long a server may send more than it may in the long run.
const catchUp = 5 * time.Second

// peer is the connection, as the gate sees it.
type peer struct {
	began time.Time
	last  atomic.Int64 // when it was heard, ns since began
	held  atomic.Int64
	hang  context.CancelCauseFunc
}

func (p *peer) heard(now time.Time, held int) {
	p.last.Store(int64(now.Sub(p.began)))
	p.held.Store(int64(held))
}

// Silent is part of ingest.Peer.
func (p *peer) Silent() time.Duration { return time.Since(p.began) - time.Duration(p.last.Load()) }

// Held is part of ingest.Peer.
func (p *peer) Held() int { return int(p.held.Load()) }

// Reconnect is part of ingest.Peer: it is we who fetch.
func (*peer) Reconnect(string) bool { return false }

// Hang is part of ingest.Peer.
func (p *peer) Hang(cause error) { p.hang(cause) }
