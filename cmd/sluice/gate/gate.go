// Package gate lets publishers in, one per stream and as many as there is memory
// for, and connects the rooms that their tags go through.
package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// takeoverSilence is how long a publisher must have been silent for another
// one to take its stream over: its connection is dead, and it has come by a
// new one. Whoever publishes is heard many times a second.
const takeoverSilence = 2 * time.Second

// FailurePause is how long one who has shown something wrong waits for the
// answer: trying is slow, and holds up nobody else.
const FailurePause = time.Second

// Gate is ingest's Handler.
type Gate struct {
	Catalog *packager.Catalog
	Access  func() *access.Publishers // who judges now
	Now     func() time.Time          // the clock of all rooms
	Log     zerolog.Logger
	Metrics *metrics.Set
	Budget  memory.Budget
	// Health is what is wrong with a stream, in sentences for the log; nil: nobody looks.
	Health func(w *packager.Window, now time.Time) []string

	turns turns

	ailments ailments // patrol's

	entering sync.Mutex // while one is let in

	mu         sync.Mutex
	publishers map[packager.StreamName]*publisher
	count      int64 // of those let in so far
}

// publisher is who was let in to publish one stream, until he goes.
type publisher struct {
	ingest.Sink
	peer   ingest.Peer
	number int64                 // counts those who were let in
	away   atomic.Pointer[error] // why it is sent away
	over   chan struct{}         // closed when the stream is free again
	end    func(cause error)
	left   func() // what is to be done when all is over
}

// held is what a publisher holds in memory that no Window has: messages that are not
// complete, and frames that wait to be placed.
func (s *publisher) held() int {
	n := s.peer.Held()
	if r, ok := s.Sink.(interface{ Held() int }); ok {
		n += r.Held()
	}
	return n
}

// WriteTag is part of ingest.Sink.
func (s *publisher) WriteTag(tag flv.Tag) error {
	if why := s.away.Load(); why != nil {
		return *why
	}
	return s.Sink.WriteTag(tag)
}

// Close is part of ingest.Sink.
func (s *publisher) Close(cause error) {
	s.Sink.Close(cause)
	s.end(cause)
	s.left()
}

var ( // ingest looks for them, and goes without
	_ ingest.Authenticator = (*Gate)(nil)
	_ ingest.Carrier       = (*Gate)(nil)
)

// Codecs are those of remux.
func (g *Gate) Codecs() []flv.FourCC { return remux.Codecs() }

// Connect is ingest's first question.
func (g *Gate) Connect(ctx context.Context, r ingest.Request) (login any, err error) {
	user, err := g.Access().Login(r.Remote.Addr(), r.Query)
	if err == nil {
		return user, nil
	}
	refusal := g.refusal(ctx, err)
	var rejection *access.LoginReply
	if !errors.As(err, &rejection) || rejection.Cause != nil {
		g.Metrics.Refused(metrics.Publishing)
	}
	if rejection == nil {
		return nil, refusal
	}
	told := &ingest.Rejection{Description: rejection.Description, Cause: rejection.Cause}
	if told.Cause == nil {
		told.Cause = errAskedToLogIn
	}
	return nil, told
}

var errAskedToLogIn = errors.New("asked to log in: it comes back when it can")

// Publish is ingest's question.
func (g *Gate) Publish(ctx context.Context, r ingest.Request) (stream string, _ ingest.Sink, err error) {
	user, _ := r.Login.(access.User) // as Connect has returned it
	encoder := access.Encoder{
		IP: r.Remote.Addr(), App: r.App, Name: r.Name, Query: r.Query, User: user,
		Encrypted: r.Encrypted, Software: r.Software, TCURL: r.TCURL,
	}
	admission, err := g.Access().Admit(ctx, encoder)
	if err != nil {
		g.Metrics.Refused(metrics.Publishing)
		return "", nil, g.refusal(ctx, err)
	}
	name, err := packager.ParseStreamName(access.SplitPath(admission.Path))
	if err != nil {
		return "", nil, err
	}
	if err := g.turn(ctx, "your address", g.turns.visit(r.Remote, time.Now()), LongestTurn); err != nil {
		return "", nil, fmt.Errorf("%v: %w", name, err)
	}
	publication, err := g.await(ctx, name)
	if err != nil {
		return "", nil, fmt.Errorf("%v: %w", name, err)
	}
	log := g.Log.With().Str("room", "remux").Stringer("stream", name).Logger()
	log.Info().Stringer("remote", r.Remote).Str("by", admission.By).Msg("let in")
	remuxer := remux.New(publication, g.Now, remux.Hooks{
		Note:     func(what string) { log.Info().Str("what", what).Msg("dropped") },
		Drop:     g.Metrics.Dropped,
		LeaveOut: publication.LeaveOut,
		Captions: publication.Caption,
	})
	publication.LeaveOut(nil) // as with the encoder before
	publication.Caption(0)
	publication.OnLate = g.late(log)
	s := g.begin(name, r.Peer, remuxer)
	s.left = func() {
		if !g.Access().Ended(encoder, admission) {
			log.Warn().Msg("the webhook isn't told of the end: too many notifications wait")
		}
	}
	return name.String(), s, nil
}

// late counts samples that came when their time was filled, and says so once.
func (g *Gate) late(log zerolog.Logger) func() {
	said := false
	return func() {
		g.Metrics.Dropped()
		if !said {
			said = true
			log.Info().Str("what", "sound that came too late behind the picture: silence had been put in its place").Msg("dropped")
		}
	}
}

// await begins a publication for somebody who may, and who may have to wait: for his
// turn, or until it is clear that the one before is dead.
func (g *Gate) await(ctx context.Context, name packager.StreamName) (*packager.Contribution, error) {
	latest := time.Now().Add(LongestTurn)
	for asked := false; ; {
		if err := g.turnOf(ctx, name, latest); err != nil {
			return nil, err
		}
		publication, err := g.letIn(name)
		switch {
		case err == nil:
			return publication, nil
		case errors.Is(err, errOvertaken):
			continue
		case !errors.Is(err, packager.ErrBusy):
			return nil, err
		case asked || !g.takeover(ctx, name):
			return nil, ingest.ErrBusy
		}
		asked = true
	}
}

// errOvertaken is for one who waited for his turn while another took it.
var errOvertaken = errors.New("another publisher came first")

// letIn gives a name to a publisher that there is memory for: one at a time, or
// all who come at once would be told of the same room.
func (g *Gate) letIn(name packager.StreamName) (*packager.Contribution, error) {
	g.entering.Lock()
	defer g.entering.Unlock()
	if err := g.room(name); err != nil {
		return nil, err
	}
	if g.free(name) && g.turns.wait(name, time.Now()) > 0 {
		return nil, errOvertaken
	}
	publication, err := g.Catalog.Publish(name)
	if err == nil {
		g.turns.begin(name, time.Now())
	}
	return publication, err
}

// room tells whether there is memory for another publication.
func (g *Gate) room(name packager.StreamName) error {
	claims, _ := g.claims()
	return g.limited(g.Budget.Admits(claims, name))
}

// claims are what all streams hold and need, and who publishes each of them, or nil.
// Streams that nobody publishes come first, then those that have been published
// for longest.
func (g *Gate) claims() (claims []memory.Claim, publishers []*publisher) {
	g.mu.Lock()
	defer g.mu.Unlock()
	type published struct {
		stream *packager.Stream
		by     *publisher
		rank   int64
	}
	var all []published
	for _, stream := range g.Catalog.Streams() {
		p := published{stream: stream}
		if s := g.publishers[stream.Window().Stream]; s != nil && s.away.Load() == nil { // else it is about to go
			p.by, p.rank = s, s.number
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b published) int { return cmp.Compare(a.rank, b.rank) })
	for _, p := range all {
		c := memory.Claim{}
		if p.by == nil {
			c = g.Budget.ClaimOf(p.stream)
		} else {
			c = g.Budget.ClaimOfPublished(p.stream, int64(p.by.held()))
		}
		claims, publishers = append(claims, c), append(publishers, p.by)
	}
	return claims, publishers
}

// Patrol shares out the memory that there is, sends those away for whom there is
// not enough, and says what is wrong with streams. It is to be called now and then,
// by one goroutine.
func (g *Gate) Patrol() {
	if g.ailments == nil {
		g.ailments = make(ailments)
	}
	claims, publishers := g.claims()
	limits, away := g.Budget.Divide(claims)
	for i, c := range claims {
		w, s := c.Stream.Window(), publishers[i]
		if g.Health != nil {
			g.ailments.see(w.Stream, g.Health(w, g.Now()), g.Log)
		}
		switch {
		case s == nil:
		case g.Budget.Exceeded(w):
			g.sendAway(s, g.Budget.TooLarge(w))
		case i >= len(claims)-away:
			g.sendAway(s, g.Budget.NoRoom(c))
		default:
			c.Stream.Allow(max(1, limits[i]-int64(s.held())))
		}
	}
}

// sendAway ends a publisher by its next tag, so that its encoder hears why. One whose
// connection is dead, and hears nothing, is hung up on (takeover).
func (g *Gate) sendAway(s *publisher, why error) {
	err := g.limited(why)
	s.away.Store(&err)
}

// limited counts a refusal, if it is one.
func (g *Gate) limited(err error) error {
	if e := (*metrics.Exceeded)(nil); errors.As(err, &e) {
		g.Metrics.Refused(e.Limit)
	}
	return err
}

// refusal is access's error in words of ingest. One who has failed hears it
// after a while.
func (g *Gate) refusal(ctx context.Context, err error) error {
	if access.Failed(err) {
		select {
		case <-time.After(FailurePause):
		case <-ctx.Done():
		}
	}
	if errors.Is(err, access.ErrDenied) {
		return denied{err}
	}
	return err
}

// denied has access's text and ingest's code.
type denied struct{ error }

func (denied) Is(target error) bool { return target == ingest.ErrDenied }

// begin notes who publishes a stream from now on.
func (g *Gate) begin(name packager.StreamName, peer ingest.Peer, sink ingest.Sink) *publisher {
	s := &publisher{Sink: sink, peer: peer, over: make(chan struct{})}
	s.end = func(cause error) {
		if e := (*metrics.Exceeded)(nil); errors.As(cause, &e) && e.Limit == metrics.Memory {
			g.Catalog.Forget(name) // others need the room now
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.publishers[name] == s {
			delete(g.publishers, name)
		}
		close(s.over)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.publishers == nil {
		g.publishers = make(map[packager.StreamName]*publisher)
	}
	g.count++
	s.number = g.count
	g.publishers[name] = s
	return s
}

var errTakenOver = errors.New("the encoder has come by another connection")

// takeover waits until the publisher of a stream shows that it is alive (false)
// or has been silent for long enough, and ends it then.
func (g *Gate) takeover(ctx context.Context, name packager.StreamName) bool {
	g.mu.Lock()
	s := g.publishers[name]
	g.mu.Unlock()
	if s == nil {
		return true // it has just gone
	}
	began := time.Now()
	look := time.NewTicker(takeoverSilence / 20)
	defer look.Stop()
	for s.peer.Silent() < takeoverSilence {
		select {
		case <-s.over:
			return true
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		if waited := time.Since(began); s.peer.Silent() < waited {
			return false // it has been heard
		}
	}
	s.peer.Hang(errTakenOver)
	select {
	case <-s.over:
		return true
	case <-ctx.Done():
		return false
	}
}
