package relay

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-live/sluice/cmd/sluice/readers"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// moveTime is how long a target may take to let a push in that it was asked to send there.
// Meanwhile nothing is sent, and no more waits than for any reader: it is less than the
// patience with one who is late.
const moveTime = 4 * time.Second

// errAsked ends a stretch of a push whose target has asked it to come by another connection.
var errAsked = errors.New("asked to come by another connection")

// sending is a push while it is connected. Where the target asks for it (Enhanced RTMP v2,
// "Reconnect Request"), it goes on by another connection, from a keyframe on:
//
//	… P P P │ K P P P …        one Drawing, whose timestamps go on
//	old ────┘ └──── new, behind metadata and configurations
type sending struct {
	*push
	from  *readers.Drawing
	to    *client.Publisher
	at    client.Address // where that is
	tells client.Tells

	first   []flv.Drawn // what is sent before all else
	where   elsewhere
	leaving sync.WaitGroup // connections that are left
}

// copy writes what is drawn, by one connection after the other.
func (s *sending) copy(ctx context.Context) error {
	for {
		if err := s.stretch(ctx); !errors.Is(err, errAsked) {
			return err
		}
		s.move(ctx)
	}
}

// stretch writes what is drawn by one connection, until a target that has asked for another one
// is to get a keyframe (errAsked). That is the last of s.first then.
func (s *sending) stretch(ctx context.Context) error {
	to := s.to
	ctx, cancel := context.WithCancelCause(ctx)
	hurry := context.AfterFunc(ctx, to.Hurry) // a write that waits does so no longer
	watch := make(chan struct{})
	defer func() { hurry(); cancel(nil); <-watch }()
	go func() {
		defer close(watch)
		select {
		case <-to.Gone():
			cancel(hungUp(to.Why()))
		case <-ctx.Done():
		}
	}()
	size := 0
	add := func(d flv.Drawn) {
		to.Add(d)
		size += len(d.Head) + len(d.Body)
	}
	for _, d := range s.first {
		add(d)
	}
	s.first = nil
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		some := size > 0
		for ; size < batch; some = true {
			d, ok := s.from.Next()
			if !ok {
				break
			}
			if s.from.Reader.Starts() && s.isAsked() {
				if size > 0 {
					if err := to.Flush(); err != nil {
						return err
					}
				}
				s.first = []flv.Drawn{d}
				return errAsked
			}
			add(d)
		}
		if some {
			if err := to.Flush(); err != nil {
				return err
			}
			size = 0
			continue
		}
		err := s.from.More(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return errOver
		case err != nil:
			return err
		case !slices.Equal(s.tells.Via, s.relay.Gate.Via(s.Stream)):
			return errOtherWay
		}
	}
}

// hungUp is why a connection is no more. That the server has left it shows in many ways.
func hungUp(err error) error {
	for _, way := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, way) {
			return errors.New("the server has hung up")
		}
	}
	return err
}

// isAsked tells whether the target wants the push to come by another connection, and it is time.
func (s *sending) isAsked() bool {
	select {
	case where := <-s.to.Asked():
		if err := s.where.ask(s.at, where); err != nil {
			s.log.WithLevel(s.where.loud()).Err(err).Msg("the server asks to come elsewhere, and is not heeded")
		}
	default:
	}
	return s.where.due(time.Now())
}

// move goes on by another connection, or by the one that there is: then it tries again in a while.
func (s *sending) move(ctx context.Context) {
	s.where.tried(time.Now())
	to, err := s.reach(ctx)
	if err != nil {
		s.log.WithLevel(s.where.loud()).Str("cause", s.other.Hush(s.where.next.Hush(err.Error()))).Msg("the server asks to come by another connection, which fails: the push goes on by this one, and tries again")
		return
	}
	old := s.to
	s.to, s.at, s.where.asked, s.where.told = to, s.where.next, false, false
	s.first = append(s.from.Reader.Introduction(), s.first...)
	s.leaving.Go(func() { end(ctx, old, old.Leave) })
	s.log.Info().Stringer("to", s.at).Msg("pushing by another connection, as the server has asked")
	s.tell(admin.Event{Text: "pushing by another connection, to " + s.at.String() + ", as the server has asked"})
}

// end lets a connection end as it does, and hurries that when ctx is over: a target may take
// its time to read what is on its way.
func end(ctx context.Context, to *client.Publisher, ends func() error) {
	defer context.AfterFunc(ctx, to.Hurry)()
	ends()
}

// reach connects to where the target asks to go.
func (s *sending) reach(ctx context.Context) (*client.Publisher, error) {
	ctx, cancel := context.WithTimeout(ctx, moveTime)
	defer cancel()
	to, err := s.relay.beyond(s.to.Remote()).Publish(ctx, s.where.next, s.tells)
	if err != nil {
		return nil, err
	}
	if !s.Enhanced && !to.Abilities.Covers(s.to.Abilities) {
		to.Abort()
		return nil, errors.New("the server there takes fewer codecs")
	}
	return to, nil
}
