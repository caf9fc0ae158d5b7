package gate

import (
	"context"
	"errors"
	"time"
)

// takeoverSilence is how long a publisher must have been silent for another
// one to take its place: its connection is dead, and it has come by a
// new one. Whoever publishes is heard many times a second.
const takeoverSilence = 2 * time.Second

var errTakenOver = errors.New("the encoder has come by another connection")

// takeover waits until all who push a name show that they are alive (false)
// or one has been silent for long enough, and ends it then.
func (g *Gate) takeover(ctx context.Context, p pushed) bool {
	all := g.named(p)
	if len(all) == 0 {
		return true // it has just gone
	}
	began := time.Now()
	look := time.NewTicker(takeoverSilence / 20)
	defer look.Stop()
	dead := silent(all)
	for ; dead == nil; dead = silent(all) {
		select {
		case <-all[0].over:
			return true
		case <-all[len(all)-1].over: // two at most
			return true
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		if heard(all, time.Since(began)) {
			return false
		}
	}
	dead.peer.Hang(errTakenOver)
	select {
	case <-dead.over:
		return true
	case <-ctx.Done():
		return false
	}
}

// silent returns one who has been silent for long enough, or nil.
func silent(all []*publisher) *publisher {
	for _, s := range all {
		if quiet := s.peer.Silent(); quiet >= takeoverSilence || s.moves.Load() && quiet >= movedSilence {
			return s
		}
	}
	return nil
}

// heard tells whether all have been heard within that time. One who is to come by another
// connection, and understands it, has a moment to leave this one.
func heard(all []*publisher, within time.Duration) bool {
	for _, s := range all {
		if s.moves.Load() && within < takeoverSilence || s.peer.Silent() >= within {
			return false
		}
	}
	return true
}
