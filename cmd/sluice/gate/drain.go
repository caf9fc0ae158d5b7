package gate

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
)

const (
	// asksAtOnce is about how many encoders are asked at a time, which is once a second, to come
	// by another connection: all at once would be a crowd where they come next.
	asksAtOnce = 20
	// movedSilence is how long one who was asked, and understands it, must have sent nothing for
	// its next connection to take its place: it ends with a keyframe, and leaves the old one to us.
	movedSilence = 200 * time.Millisecond
)

// draining says that no publishers are let in, and where those go that can be asked.
type draining struct{ to atomic.Pointer[string] }

// errDraining is for those who come when no more are let in.
var errDraining = errors.New("this server is about to stop, and lets nobody in: try again in a while, or another one")

// Draining is part of admin.Process.
func (g *Gate) Draining() bool { return g.draining.to.Load() != nil }

// Moves is where peers are to go by another connection; nil where they may stay. Each Drain has
// another pointer.
func (g *Gate) Moves() *string { return g.draining.to.Load() }

// Drain lets no publishers in. Those that publish go on; encoders that understand it are
// asked to reconnect, to that address or, where it is empty, to where they came.
func (g *Gate) Drain(to string) {
	g.draining.to.Store(&to)
	for _, s := range g.everybody() {
		s.asked.Store(false)
	}
}

// Undrain lets publishers in again.
func (g *Gate) Undrain() {
	g.draining.to.Store(nil)
	for _, s := range g.everybody() {
		s.moves.Store(false)
	}
}

// Publishing is how many there are who publish.
func (g *Gate) Publishing() int { return len(g.everybody()) }

// everybody are all who publish.
func (g *Gate) everybody() (all []*publisher) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, crew := range g.publishers {
		all = append(all, crew...)
	}
	return all
}

// moveOn asks some of those to reconnect who have not been asked.
func (g *Gate) moveOn() {
	to := g.draining.to.Load()
	if to == nil {
		return
	}
	asked, last := 0, packager.StreamName{}
	for _, s := range g.everybody() {
		if asked >= asksAtOnce && s.stream != last { // the qualities of a stream move together
			return
		}
		if !s.asked.CompareAndSwap(false, true) || !s.peer.Reconnect(*to) {
			continue
		}
		s.moves.Store(true)
		asked, last = asked+1, s.stream
		g.Log.Info().Str("stream", s.shown()).Stringer("remote", s.remote).Msg("the encoder is asked to come by another connection")
		g.tell(admin.Event{Kind: admin.Drained, Stream: s.shown(), Text: "the encoder is asked to come by another connection"})
	}
}
