package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/ingest/rate"
	"github.com/sluice-live/sluice/remux"
)

// errMoved ends what is fetched by one connection, where the server has asked for another one.
var errMoved = errors.New("the server has asked to come by another connection")

// fetching is a pull while it is connected. Where the server asks for it (Enhanced RTMP v2,
// "Reconnect Request"), it goes on by another connection when that has something to begin with:
//
//	… P P P P P P │              the source before
//	       asked  │ K P P P …    the one that it has asked for
//
// What comes again by it is left out, where that shows: see passage. Else it is, to viewers, an encoder that
// was lost, and is back at once.
type fetching struct {
	*pull
	where  elsewhere
	moving chan moved // has who is to come next, once; nil: nobody is on the way
}

// moved is the source to go on with, or why there is none.
type moved struct {
	to  *source
	err error
}

// source is a connection that plays the stream.
type source struct {
	*client.Reader
	at    client.Address
	first []flv.Tag       // what it began with
	ctx   context.Context // ends with it
	hang  context.CancelCauseFunc
}

// close ends it, and may be called more than once.
func (s *source) close() { s.hang(nil); s.Reader.Close() }

// once connects and fetches the stream until it ends, the context does, nobody wants it,
// or something fails. However it ends, the stream waits for it as for an encoder that was
// lost: a server that ends it can't tell whether it will be back. Only where this server
// ends it, it is over.
func (p *pull) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	from, err := p.reach(ctx, p.relay.Dial, p.From)
	f := &fetching{pull: p}
	for begins := true; from != nil; begins = false {
		from, err = f.fetch(ctx, from, begins)
	}
	cancel()
	if f.moving != nil { // it comes too late
		if late := <-f.moving; late.to != nil {
			late.to.close()
		}
	}
	return err
}

// reach connects, and returns what plays when the first sound or picture has come: some servers say
// that a stream plays which is not there.
func (p *pull) reach(ctx context.Context, dial client.Dialer, at client.Address) (*source, error) {
	limits := p.relay.Limits
	from, err := dial.Play(ctx, at, client.Tells{
		Codecs: remux.Codecs(), Tracks: true, Asks: true, Idle: limits.Idle, Limits: limits.Chunk, Via: p.askers(),
	})
	if err != nil {
		return nil, err
	}
	ctx, hang := context.WithCancelCause(ctx)
	context.AfterFunc(ctx, func() { from.Close() })
	s := &source{Reader: from, at: at, ctx: ctx, hang: hang}
	late := time.AfterFunc(max(limits.Idle, dialTime), func() { hang(errNothing) })
	defer late.Stop()
	if s.first, err = s.begin(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// dialTime is how long a server may at least take to send the first sound or picture.
const dialTime = 10 * time.Second

// begin returns what comes until the first sound or picture.
func (s *source) begin() (tags []flv.Tag, err error) {
	for {
		tag, err := s.read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errNothing
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

// read returns the next tag, or why there is none.
func (s *source) read() (flv.Tag, error) {
	tag, err := s.ReadTag()
	switch {
	case s.ctx.Err() != nil:
		return tag, context.Cause(s.ctx)
	case errors.Is(err, io.EOF):
		return tag, errEnded
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return tag, &brokenError{err}
	}
	return tag, err
}

// brokenError is that a connection is gone: the stream may go on.
type brokenError struct{ error }

func (e *brokenError) Unwrap() error { return e.error }

// fetch brings in what one source has, until it ends, and returns the one to go on with; nil where
// there is none, with the reason.
func (f *fetching) fetch(ctx context.Context, from *source, begins bool) (*source, error) {
	defer from.close()
	to, err := f.lead(from)
	if err != nil {
		return nil, err
	}
	if begins {
		f.begins("pulling")
	} else {
		f.log.Info().Stringer("from", from.at).Msg("pulling by another connection, as the server has asked")
		f.tell(admin.Event{Text: "pulling by another connection, from " + from.at.String() + ", as the server has asked"})
	}
	for _, tag := range from.first {
		if err = to.WriteTag(tag); err != nil {
			break
		}
	}
	from.first = nil
	var next *source
	if err == nil {
		next, err = f.copy(ctx, from, to)
	}
	switch broken := (*brokenError)(nil); {
	case next != nil:
		f.keep(to, errMoved, keepTime)
	case errors.Is(err, errUnwanted):
		to.close(nil)
		f.relay.Catalog.Forget(f.stream) // who comes next begins anew, and not with its end
	case errors.Is(err, context.Canceled):
		to.close(nil) // this server ends it
	default:
		why := errors.New(f.other.Hush(err.Error()))
		switch {
		case f.moving != nil && errors.Is(err, errEnded):
			f.keep(to, why, keepTime)
		case errors.As(err, &broken) && !f.relay.Gate.Shared(f.Name): // else another one goes on air at once
			f.keep(to, why, min(keepTime, f.relay.Limits.Grace))
		default:
			to.close(why)
		}
		if f.moving != nil { // a server that asks needn't wait for us
			m := <-f.moving
			f.moving, next = nil, m.to
		}
	}
	return next, err
}

// lead returns where what a source has goes: where it has gone before, or by the gate.
func (f *fetching) lead(from *source) (*passage, error) {
	if f.kept.open() {
		goesOn, err := f.goesOn(from)
		switch {
		case goesOn && err != nil:
			f.letGo().close(err)
			return nil, err
		case goesOn:
			return f.letGo(), nil
		case err != nil: // perhaps the next one is in time
			return nil, err
		}
	}
	if p := f.letGo(); p != nil {
		p.expires()
	}
	p := &passage{trail: newTrail(), configs: make(map[track]uint64), peer: &peer{began: time.Now()}}
	p.peer.hangs(from.hang)
	var err error
	p.sink, err = f.relay.Gate.Bring(from.ctx, f.Name, ingest.Request{
		Remote: address.WithPort(from.Remote()), Encrypted: from.at.TLS, Software: "pull", Via: from.Via(), Peer: p.peer,
	})
	return p, err
}

// copy leads tags to a sink, until there is another source to go on with, or an error.
func (f *fetching) copy(ctx context.Context, from *source, to *passage) (*source, error) {
	var bytes, messages rate.Bucket
	perSecond := float64(f.relay.Limits.Bitrate) / 8
	stall := (catchUp + f.relay.Limits.Idle).Seconds()
	limit, most := rate.Limit{PerSecond: perSecond, Burst: perSecond * stall}, rate.Limit{PerSecond: messageRate, Burst: messageRate * stall}
	var counted, numbered uint64
	looked := time.Now()
	for {
		tag, err := from.read()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		to.peer.heard(now, from.Held()+to.held())
		if err := to.WriteTag(tag); err != nil {
			return nil, err
		}
		if next := f.move(ctx, from, now); next != nil {
			return next, nil
		}
		k := from.Messages() - numbered
		if now.Sub(looked) < time.Second && k < messageRate {
			continue
		}
		looked = now
		numbered += k
		if !messages.Take(most, float64(k), now) {
			f.relay.Metrics.Refused(metrics.MessageRate)
			return nil, fmt.Errorf("more than %d messages a second for longer than a stall explains: most of them carry nothing", messageRate)
		}
		n := from.Received() - counted
		counted += n
		f.passed(int(n))
		if perSecond > 0 && !bytes.Take(limit, float64(n), now) {
			f.relay.Metrics.Refused(metrics.Bitrate)
			return nil, fmt.Errorf("more than %d kbit/s for longer than a stall explains: rtmp.max_bitrate in the configuration is the limit", f.relay.Limits.Bitrate/1000)
		}
		if !f.isWanted() {
			return nil, errUnwanted
		}
	}
}

// move connects where the server asks to go, while the stream goes on, and returns what plays there
// when it does.
func (f *fetching) move(ctx context.Context, from *source, now time.Time) *source {
	if where, asked := from.Asked(); asked {
		if err := f.where.ask(from.at, where); err != nil {
			f.log.WithLevel(f.where.loud()).Err(err).Msg("the server asks to come elsewhere, and is not heeded")
		}
	}
	if f.moving == nil && f.where.due(now) {
		f.where.tried(now)
		to, dial := f.where.next, f.relay.beyond(from.Remote())
		f.moving = make(chan moved, 1)
		go func(done chan<- moved) {
			s, err := f.reach(ctx, dial, to)
			done <- moved{s, err}
		}(f.moving)
	}
	select {
	case m := <-f.moving:
		f.moving = nil
		if m.err == nil {
			f.where.asked, f.where.told = false, false
			return m.to
		}
		f.log.WithLevel(f.where.loud()).Str("cause", f.other.Hush(f.where.next.Hush(m.err.Error()))).
			Msg("the server asks to come by another connection, which fails: the pull goes on by this one, and tries again")
	default:
	}
	return nil
}

// messageRate is how many messages a server may send a second: as many as an encoder may.
const messageRate = 1000

// catchUp is for how long a server may send more than it may in the long run.
const catchUp = 5 * time.Second

// peer is the connection, as the gate sees it.
type peer struct {
	began time.Time
	last  atomic.Int64 // when it was heard, ns since began
	held  atomic.Int64
	hang  atomic.Pointer[context.CancelCauseFunc]
}

func (p *peer) heard(now time.Time, held int) {
	p.last.Store(int64(now.Sub(p.began)))
	p.held.Store(int64(held))
}

// hangs is told how to end what there is now.
func (p *peer) hangs(end context.CancelCauseFunc) { p.hang.Store(&end) }

// Silent is part of ingest.Peer.
func (p *peer) Silent() time.Duration { return time.Since(p.began) - time.Duration(p.last.Load()) }

// Held is part of ingest.Peer.
func (p *peer) Held() int { return int(p.held.Load()) }

// Reconnect is part of ingest.Peer: it is we who fetch.
func (*peer) Reconnect(string) bool { return false }

// Hang is part of ingest.Peer.
func (p *peer) Hang(cause error) { (*p.hang.Load())(cause) }
