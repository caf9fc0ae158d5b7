package readers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
)

// A stream that another process of this server has, in an upgrade, is passed on to those who begin
// to play it here:
//
//	there: Drawing ── a line that says by which servers it comes, and an FLV file ──▶ passed: here
//
// Who may play, and for how long, is judged here.

// Give returns how a stream is written for a reader whom another process has let in;
// ingest.ErrNotFound where it isn't live here.
func (r *Readers) Give(q ingest.Request) (write func(context.Context, io.Writer) error, err error) {
	name, err := packager.ParseStreamName(q.App, q.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ingest.ErrNotFound, err)
	}
	d, _, err := r.draw(name, options(q, r.Start), true)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, ingest.ErrNotFound
	}
	r.count.Add(1)
	s := r.begins(d, name, q, "", r.Now().Add(longest))
	return func(ctx context.Context, w io.Writer) error {
		defer s.Close()
		return give(ctx, w, s)
	}, nil
}

// longest is for how long one plays of whom another process judges that.
const longest = 365 * 24 * time.Hour

func give(ctx context.Context, w io.Writer, s *source) error {
	if err := json.NewEncoder(w).Encode(s.Via()); err != nil {
		return err
	}
	file, err := flv.NewWriter(w)
	for err == nil {
		for d, ok := s.Next(); ok && err == nil; d, ok = s.Next() {
			err = file.WriteTag(d)
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		if err == nil {
			err = s.More(ctx)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// passed is a stream that another process gives.
type passed struct {
	body io.ReadCloser
	via  []string
	tags chan flv.Tag // closed at the end
	err  error        // of the end
	over chan struct{}
	all  sync.WaitGroup

	due     []flv.Tag // that come next
	pending int       // bytes that were given out, and not told of
	mute    [2]bool
	waits   bool // for a keyframe
	Sent    func(bytes int)
}

// mostWaiting is how many tags wait for a reader here: the rest waits there, where it is looked
// whether he is late.
const mostWaiting = 4

// take begins to read what another process gives.
func take(body io.ReadCloser) (*passed, error) {
	p := &passed{body: body, tags: make(chan flv.Tag, mostWaiting), over: make(chan struct{}), Sent: func(int) {}}
	b := bufio.NewReader(body)
	line, err := b.ReadSlice('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.via)
	}
	var file *flv.Reader
	if err == nil {
		file, err = flv.NewReader(b)
	}
	if err != nil {
		body.Close()
		return nil, err
	}
	p.all.Go(func() {
		defer close(p.tags)
		for {
			tag, err := file.ReadTag()
			if err != nil {
				p.err = err
				return
			}
			tag.Body = slices.Clone(tag.Body)
			select {
			case p.tags <- tag:
			case <-p.over:
				return
			}
		}
	})
	return p, nil
}

// Next is part of ingest.Source.
func (p *passed) Next() (flv.Drawn, bool) {
	for {
		if len(p.due) == 0 {
			select {
			case tag, ok := <-p.tags:
				if !ok {
					return flv.Drawn{}, false
				}
				p.due = append(p.due, tag)
			default:
				return flv.Drawn{}, false
			}
		}
		tag := p.due[0]
		p.due = p.due[1:]
		if p.wants(tag) {
			p.pending += len(tag.Body)
			return flv.Drawn{Tag: tag}, true
		}
	}
}

// wants tells whether the reader is to get a tag.
func (p *passed) wants(tag flv.Tag) bool {
	frame, ok := frameOf(tag)
	switch {
	case !ok:
		return true
	case p.mute[frame.Kind]:
		return false
	case frame.Kind == flv.Video && frame.Keyframe:
		p.waits = false
	}
	return frame.Kind == flv.Audio || !p.waits
}

// frameOf is what a tag has in time: false where that is nothing, but what decoders are told.
func frameOf(tag flv.Tag) (flv.Packet, bool) {
	for packet, err := range flv.Packets(tag) {
		if err == nil && packet.Type == flv.PacketFrame {
			return packet, true
		}
	}
	return flv.Packet{}, false
}

// More is part of ingest.Source.
func (p *passed) More(ctx context.Context) error {
	p.Sent(p.pending)
	p.pending = 0
	select {
	case tag, ok := <-p.tags:
		if !ok {
			return p.err
		}
		p.due = append(p.due, tag)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Rest is part of ingest.Source. What decoders are told meanwhile is kept.
func (p *passed) Rest(ctx context.Context) error {
	const most = 64
	p.waits = true
	for {
		p.due = slices.DeleteFunc(p.due, func(tag flv.Tag) bool { _, ok := frameOf(tag); return ok })
		p.due = p.due[max(len(p.due)-most, 0):]
		if err := p.More(ctx); err != nil {
			return err
		}
	}
}

// Receive is part of ingest.Source.
func (p *passed) Receive(kind flv.Kind, on bool) {
	p.waits = p.waits || kind == flv.Video && on && p.mute[kind]
	p.mute[kind] = !on
}

// Via is part of ingest.Relayed.
func (p *passed) Via() []string { return p.via }

// Close is part of ingest.Source.
func (p *passed) Close() {
	p.Sent(p.pending)
	close(p.over)
	p.body.Close()
	p.all.Wait()
}
