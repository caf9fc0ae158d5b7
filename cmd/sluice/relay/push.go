package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-live/sluice/cmd/sluice/readers"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/tags"
	"github.com/sluice-live/sluice/remux"
)

const (
	// look is how often it is looked whether a stream has come.
	look = 200 * time.Millisecond

	// batch is what is written at a time, under one deadline: a target that takes less
	// than that in ten seconds is gone.
	batch = 64 << 10
)

// push is one stream on its way to one target.
type push struct {
	*line
	Push
}

func (r *Relay) newPush(p Push) *line {
	l := &line{account: r.account(metrics.Push, p.Stream.String(), p.Number, p.To)}
	l.run = (&push{l, p}).run
	return l
}

// run sends the stream on, whenever it is there, until the context ends.
func (p *push) run(ctx context.Context) {
	defer p.become(idle)
	var b backoff
	for {
		stream, ok := p.await(ctx)
		if !ok {
			return
		}
		p.become(connecting)
		began := time.Now()
		err := p.once(ctx, stream)
		switch {
		case ctx.Err() != nil:
			if p.now().State == live {
				p.ends("push ended")
			}
			return
		case errors.Is(err, errOver):
			p.ends("push ended: the stream has ended")
			b = backoff{}
			continue // it may be back
		}
		lasted := time.Since(began)
		wait := b.wait(lasted)
		p.fails(err, lasted, wait)
		if !sleep(ctx, wait) {
			return
		}
	}
}

// await returns the stream when it is live and has something to begin with. One that waits
// for its encoder has nothing new: a target that is told of it again would only play its end.
func (p *push) await(ctx context.Context) (*packager.Stream, bool) {
	everything := tags.NewReader(tags.Options{Takes: func(flv.FourCC) bool { return true }})
	for {
		if stream, ok := p.relay.Catalog.Lookup(p.Stream); ok {
			w := stream.Window()
			if ready, err := everything.Ready(w); w.State == packager.Live && ready && err == nil {
				return stream, true
			}
		}
		p.become(idle) // also if it has failed before: there is nothing to send now
		if !sleep(ctx, look) {
			return nil, false
		}
	}
}

// errOver is for a stream that has ended. What ends a connection is another thing.
var errOver = errors.New("the stream has ended")

var errOtherWay = errors.New("the stream comes by other servers than before: the target must look anew whether it would go in a circle")

// once connects and sends the stream on until it ends (errOver), the context does, or
// something fails.
func (p *push) once(ctx context.Context, stream *packager.Stream) error {
	via := p.relay.Gate.Via(p.Stream)
	tells := client.Tells{Via: via, Asks: true}
	if p.Enhanced || enhanced(stream.Window()) {
		tells.Codecs, tells.Tracks = remux.Codecs(), true
	}
	to, err := p.relay.Dial.Publish(ctx, p.To, tells)
	if err != nil {
		return err
	}
	takes := tags.Options{Takes: to.Abilities.Takes, Tracks: to.Abilities.Tracks}
	if p.Enhanced {
		takes.Takes, takes.Tracks = func(flv.FourCC) bool { return true }, true
	}
	reader := tags.NewReader(takes)
	if ready, err := reader.Ready(stream.Window()); err != nil || !ready {
		end(ctx, to, to.Close)
		return untaken(stream.Window())
	}
	s := &sending{push: p, to: to, at: p.To, tells: tells}
	s.from = &readers.Drawing{Stream: stream, Reader: reader, Skipped: p.skips, Sent: p.passed}
	defer s.leaving.Wait()
	defer s.from.Close()
	p.begins("pushing")
	err = s.copy(ctx)
	switch {
	case errors.Is(err, errOver), ctx.Err() != nil, errors.Is(err, errOtherWay):
		end(ctx, s.to, s.to.Close)
	default:
		if why := s.to.Why(); why != nil {
			err = why // that it can't be written to is what follows from it
		}
		err = hungUp(err)
		s.to.Abort()
	}
	return err
}

// enhanced tells whether a stream has what only Enhanced RTMP can say.
func enhanced(w *packager.Window) bool {
	old := tags.NewReader(tags.Options{})
	kinds := make(map[flv.Kind]int)
	for i := range w.Renditions {
		if h := w.Renditions[i].Newest(); h != nil {
			kinds[h.Track.Kind()]++
			if !old.Takes(h) {
				return true
			}
		}
	}
	return kinds[remux.Video] > 1 || kinds[remux.Audio] > 1
}

// untaken is the error of a target that takes nothing of a stream.
func untaken(w *packager.Window) error {
	codecs := ""
	for i := range w.Renditions {
		if h := w.Renditions[i].Newest(); h != nil && h.Track.Kind() == remux.Video {
			codecs = h.Track.Codecs
		}
	}
	return fmt.Errorf("the stream is %s, and the server doesn't say that it takes that: if it does all the same, put #enhanced behind the URL", codecs)
}
