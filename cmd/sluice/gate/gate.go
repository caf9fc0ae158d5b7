// Package gate lets publishers in, one for each name and as many as there is memory
// for, and connects the rooms that their tags go through.
package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

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

	Suffixes access.Suffixes // which names are qualities of a stream
	Backup   bool            // a second one may push a name, and stands by

	// ID is what relays call this server. Empty: no relay comes by it.
	ID string

	// Between is what is wrong between those who publish a stream, in sentences; nil:
	// nobody looks. Segment is how long segments should last, at least.
	Between func(*packager.Window) []string
	Segment time.Duration

	// Claim takes a stream over from another process, if that has it, for somebody who is to
	// push a name; packager.ErrBusy where its publisher is there yet. nil: there is none.
	Claim func(ctx context.Context, stream, pushed packager.StreamName) error

	// Tell is told of what happens; nil: nobody listens.
	Tell func(admin.Event)

	turns    turns
	sessions sessions
	refused  refused
	draining draining

	ailments ailments // patrol's
	lives    lives

	entering sync.Mutex // while one is let in

	mu         sync.Mutex
	publishers map[packager.StreamName][]*publisher // by what they are of; who came first first
	count      int64                                // of those let in so far
	via        map[packager.StreamName][]string     // the servers that those have come by who publish a stream, or did last
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
		g.refuses(r, "", refusal)
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
	var p pushed // zero until it is sure which: r.Name may be a secret
	defer func() {
		if err != nil && ctx.Err() == nil {
			g.refuses(r, p.shown(), err)
		}
	}()
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
	if p, err = g.parse(admission.Path); err != nil {
		return "", nil, err
	}
	if err := g.barred(p); err != nil { // before it takes a turn
		return "", nil, fmt.Errorf("%v: %w", p.name, err)
	}
	if err := g.turn(ctx, "your address", g.turns.visit(r.Remote, time.Now()), LongestTurn); err != nil {
		return "", nil, fmt.Errorf("%v: %w", p.name, err)
	}
	sink, err := g.enter(ctx, p, r, admission.By, func(log zerolog.Logger) {
		if !g.Access().Ended(encoder, admission) {
			log.Warn().Msg("the webhook isn't told of the end: too many notifications wait")
		}
	})
	return p.name.String(), sink, err
}

// enter lets in a publisher who may push a name. over is called when all is over.
func (g *Gate) enter(ctx context.Context, p pushed, r ingest.Request, by string, over func(zerolog.Logger)) (ingest.Sink, error) {
	if slices.Contains(r.Via, g.ID) {
		return nil, fmt.Errorf("%v: %w", p.name, ErrCircle)
	}
	log := p.tell(g.Log.With().Str("room", "remux")).Logger()
	s := &publisher{pushed: p, peer: r.Peer, remote: r.Remote, software: r.Software, via: r.Via}
	var noted *session
	s.left = func(cause error) {
		g.ended(noted, cause) // before the next one is told to have begun
		g.end(s, cause)
		over(log)
	}
	if err := g.await(ctx, s, log); err != nil {
		return nil, fmt.Errorf("%v: %w", p.name, err)
	}
	log.Info().Stringer("remote", r.Remote).Str("by", by).Msg("let in")
	noted = g.began(s, r, by)
	return s, nil
}

// connect leads what a publisher sends to its contribution.
func (g *Gate) connect(s *publisher, log zerolog.Logger) {
	to := s.contribution
	to.OnLate = g.late(log)
	to.OnAir = func(cause packager.Cause) {
		g.Metrics.Switched(string(cause))
		log.Warn().Stringer("remote", s.remote).Str("cause", string(cause)).Msg("on air in the place of another encoder")
		g.tell(admin.Event{
			Kind: admin.Switched, Stream: s.stream.String(), Pushed: s.name.String(), Remote: s.remote.String(),
			Code: string(cause), Text: "it is on air in the place of another encoder: " + why[cause],
		})
	}
	s.Sink = remux.New(to, g.Now, remux.Hooks{
		Note:     func(what string) { log.Info().Str("what", what).Msg("dropped") },
		Drop:     g.Metrics.Dropped,
		LeaveOut: to.LeaveOut,
		Captions: to.Caption,
		Genlock:  to.Genlock(),
		Locked:   func(l remux.Lock) { s.locked(l, log) },
	})
}

// why another encoder is on air, in words.
var why = map[packager.Cause]string{
	packager.Lost: "the one before is lost", packager.Silent: "the one before has fallen silent",
	packager.ByHand: "the operator wants it so", packager.Return: "the one before only stood in for it",
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

// await takes in somebody who may, and who may have to wait: for his turn, or until
// it is clear that the one before is dead.
func (g *Gate) await(ctx context.Context, s *publisher, log zerolog.Logger) error {
	latest := time.Now().Add(LongestTurn)
	if err := g.claim(ctx, s.pushed); err != nil {
		return err
	}
	for asked := false; ; {
		if err := g.turnOf(ctx, s.pushed, latest); err != nil {
			return err
		}
		err := g.letIn(s, log)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errOvertaken):
			continue
		case !errors.Is(err, packager.ErrBusy):
			return err
		case asked || !g.takeover(ctx, s.pushed):
			return g.busy(s.pushed)
		}
		asked = true
	}
}

// errOvertaken is for one who waited for his turn while another took it.
var errOvertaken = errors.New("another publisher came first")

// letIn gives a place to a publisher that there is memory for: one at a time, or
// all who come at once would be told of the same room.
func (g *Gate) letIn(s *publisher, log zerolog.Logger) error {
	g.entering.Lock()
	defer g.entering.Unlock()
	if err := g.room(s.pushed); err != nil {
		return err
	}
	if g.free(s.pushed) && g.wait(s.pushed) > 0 {
		return errOvertaken
	}
	idle := g.idle(s.stream)
	contribution, err := g.Catalog.Contribute(s.stream, s.from)
	if err != nil {
		return err
	}
	g.turns.begin(s.name, time.Now())
	if idle && s.name != s.stream {
		g.turns.begin(s.stream, time.Now())
	}
	g.begin(s, contribution, log)
	return nil
}

func (g *Gate) tell(e admin.Event) {
	if g.Tell != nil {
		g.Tell(e)
	}
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
