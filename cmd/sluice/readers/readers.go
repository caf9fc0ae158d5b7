// Package readers lets those in who play by RTMP, as viewers, and draws Windows for
// each of them.
package readers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/access"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/tags"
)

// Readers is ingest's Player.
type Readers struct {
	Catalog *packager.Catalog
	Access  func() *access.Viewers // who judges now
	Start   tags.Start             // for those who don't choose
	Wait    time.Duration          // for a stream that isn't there
	Most    int                    // streams that are played at once; 0: any number
	Log     zerolog.Logger
	Metrics *metrics.Set
	Now     func() time.Time // the clock of all rooms

	// ID is what relays call this server, and Via by which servers a stream has come, this
	// one first; nil: no relay is told.
	ID  string
	Via func(packager.StreamName) []string
	// Want is told that somebody wants a stream, and by which servers he has come; nil:
	// nobody fetches any.
	Want func(stream packager.StreamName, via []string)
	// Elsewhere is asked for what is given by Give in another process of this server:
	// ingest.ErrNotFound where there is none, or it hasn't the stream. nil: there is never one.
	Elsewhere func(context.Context, ingest.Request) (io.ReadCloser, error)

	count atomic.Int64
	list  list
}

const (
	// failurePause is how long one who may not waits for the answer: trying is slow.
	failurePause = time.Second

	// look is how often a reader looks whether a stream has come.
	look = 100 * time.Millisecond
)

// Play is part of ingest.Player.
func (r *Readers) Play(ctx context.Context, q ingest.Request) (string, ingest.Source, error) {
	name, err := packager.ParseStreamName(q.App, q.Name)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %v", ingest.ErrNotFound, err)
	}
	viewer, until, err := r.Access().Admit(ctx, name.String(), access.Reader{
		IP: q.Remote.Addr(), Query: q.Query, Page: q.PageURL, Software: q.Software, Secure: q.Encrypted,
	})
	if err != nil {
		r.Metrics.Refused(metrics.Watching)
		select {
		case <-time.After(failurePause):
		case <-ctx.Done():
		}
		return "", nil, fmt.Errorf("%v: %w", name, err)
	}
	if r.ID != "" && slices.Contains(q.Via, r.ID) {
		return "", nil, fmt.Errorf("%v: this server wants it itself: relays play in a circle", name)
	}
	if n := r.count.Add(1); r.Most > 0 && n > int64(r.Most) {
		r.count.Add(-1)
		r.Metrics.Refused(metrics.Readers)
		return "", nil, fmt.Errorf("%v: %d streams are played by RTMP already: rtmp.max_readers in the configuration is the limit", name, r.Most)
	}
	if r.Want != nil {
		r.Want(name, q.Via)
	}
	d, err := r.await(ctx, name, q)
	if err != nil {
		r.count.Add(-1)
		return "", nil, fmt.Errorf("%v: %w", name, err)
	}
	s := r.begins(d, name, q, viewer, until)
	r.Log.Debug().Stringer("remote", q.Remote).Stringer("stream", name).Str("viewer", viewer).Msg("reader let in")
	return name.String(), s, nil
}

// begins notes one who plays. He is counted by then.
func (r *Readers) begins(from ingest.Source, name packager.StreamName, q ingest.Request, viewer string, until time.Time) *source {
	who := r.comes(name, q, viewer, r.Now())
	s := &source{Source: from, readers: r, who: who, until: until}
	sent := func(bytes int) { who.bytes.Add(uint64(bytes)) }
	switch d := from.(type) {
	case *Drawing:
		d.Skipped = func() { r.Metrics.Skipped(); who.skips.Add(1) }
		d.Sent = sent
		if len(q.Via) > 0 {
			s.via = r.via(name)
		}
	case *passed:
		d.Sent = sent
	}
	return s
}

// await waits until there is something to play, for as long as Wait says. A relay begins
// with what is live: of a stream that waits for its encoder it would have its end again.
func (r *Readers) await(ctx context.Context, name packager.StreamName, q ingest.Request) (ingest.Source, error) {
	wait, cancel := context.WithTimeout(ctx, r.Wait)
	defer cancel()
	const lookElsewhere = 10 // times less often
	o := options(q, r.Start)
	for n := 0; ; n++ {
		d, here, err := r.draw(name, o, len(q.Via) > 0)
		if d != nil || err != nil {
			return d, err
		}
		if !here && r.Elsewhere != nil && n%lookElsewhere == 0 {
			if body, err := r.Elsewhere(ctx, q); err == nil {
				return take(body)
			} else if !errors.Is(err, ingest.ErrNotFound) {
				return nil, err
			}
		}
		select {
		case <-time.After(look):
		case <-wait.Done():
			return nil, fmt.Errorf("%w: nobody publishes it", ingest.ErrNotFound)
		}
	}
}

// draw returns a stream that can be played now; nil where it can't, and whether it is here.
func (r *Readers) draw(name packager.StreamName, o tags.Options, live bool) (_ ingest.Source, here bool, _ error) {
	stream, ok := r.Catalog.Lookup(name)
	if !ok {
		return nil, false, nil
	}
	reader, w := tags.NewReader(o), stream.Window()
	ready, err := reader.Ready(w)
	if err != nil || !ready || w.State != packager.Live && (live || w.State != packager.Waiting) {
		return nil, true, err
	}
	return &Drawing{Stream: stream, Reader: reader}, true, nil
}

// via are the servers that a stream has come by; nil where relays aren't told.
func (r *Readers) via(name packager.StreamName) []string {
	if r.Via == nil {
		return nil
	}
	return r.Via(name)
}

// options are what a reader says of itself as it connects, and in its query.
func options(q ingest.Request, start tags.Start) tags.Options {
	query, _ := url.ParseQuery(q.Query) // what can be read of it
	abilities := q.Abilities
	for _, list := range query["codecs"] {
		for codec := range strings.SplitSeq(list, ",") {
			if codec == "*" {
				abilities.All = true
			} else if len(codec) == 4 {
				abilities.Codecs = append(abilities.Codecs, flv.FourCC(codec[0])<<24|flv.FourCC(codec[1])<<16|flv.FourCC(codec[2])<<8|flv.FourCC(codec[3]))
			}
		}
	}
	o := tags.Options{Start: start, Takes: abilities.Takes, Tracks: abilities.Tracks}
	switch query.Get("start") {
	case "fast":
		o.Start = tags.Fast
	case "live":
		o.Start = tags.Live
	}
	switch query.Get("tracks") {
	case "all":
		o.Tracks = true
	case "one":
		o.Tracks = false
	}
	return o
}

// Starts are the values of rtmp.play_start.
func Starts(name string) tags.Start {
	if name == "live" {
		return tags.Live
	}
	return tags.Fast
}

var errUntil = errors.New("the token was good until now: watch.session in the configuration is how long at most")
