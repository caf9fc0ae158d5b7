package readers

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
)

// script is a Source that has tags by and by, and ends.
type script struct {
	tags []flv.Tag
	at   int
	err  error
}

func (s *script) Next() (flv.Drawn, bool) {
	if s.at == len(s.tags) || s.at%3 == 2 {
		return flv.Drawn{}, false
	}
	s.at++
	tag := s.tags[s.at-1]
	return flv.Drawn{Head: tag.Body[:1], Tag: flv.Tag{Type: tag.Type, Timestamp: tag.Timestamp, Body: tag.Body[1:]}}, true
}

func (s *script) More(context.Context) error {
	if s.at == len(s.tags) {
		return s.err
	}
	s.tags = s.tags[s.at:]
	s.at = 0
	return nil
}

func (*script) Rest(context.Context) error { return io.EOF }
func (*script) Receive(flv.Kind, bool)     {}
func (*script) Close()                     {}

// configuration, keyframe, picture and sound are what tags carry.
var (
	configuration = []byte{0x17, 0, 0, 0, 0, 1}
	keyframe      = []byte{0x17, 1, 0, 0, 0, 2}
	picture       = []byte{0x27, 1, 0, 0, 0, 3}
	sound         = []byte{0xAF, 1, 4}
)

func tagsOf(bodies ...[]byte) (tags []flv.Tag) {
	for i, b := range bodies {
		tag := flv.Tag{Type: flv.TagVideo, Timestamp: 0xFFFFFF00 + uint32(i), Body: b}
		if b[0] == 0xAF {
			tag.Type = flv.TagAudio
		}
		tags = append(tags, tag)
	}
	return tags
}

// passOn leads a source by a pipe.
func passOn(t *testing.T, tags []flv.Tag, end error) *passed {
	t.Helper()
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(give(t.Context(), w, &source{Source: &script{tags: tags, err: end}, readers: &Readers{Now: time.Now}, until: time.Now().Add(longest)}))
	}()
	p, err := take(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func all(t *testing.T, p ingest.Source) (tags []flv.Tag, err error) {
	t.Helper()
	for {
		for d, ok := p.Next(); ok; d, ok = p.Next() {
			d.Tag.Body = append(slices.Clone(d.Head), d.Body...)
			tags = append(tags, d.Tag)
		}
		if err := p.More(t.Context()); err != nil {
			return tags, err
		}
	}
}

func same(a, b []flv.Tag) bool {
	return slices.EqualFunc(a, b, func(x, y flv.Tag) bool {
		return x.Type == y.Type && x.Timestamp == y.Timestamp && string(x.Body) == string(y.Body)
	})
}

// What is passed on is what there is, to its end; and an end that isn't one is told apart.
func TestPassed(t *testing.T) {
	tags := tagsOf(configuration, keyframe, sound, picture, sound, picture, picture, sound, keyframe)
	lost := errors.New("lost")
	for _, end := range []error{io.EOF, lost} {
		p := passOn(t, tags, end)
		if got, err := all(t, p); !same(got, tags) || err != end {
			t.Errorf("%d of %d, %v", len(got), len(tags), err)
		}
		p.Close()
	}
}

// Who pauses goes on with a keyframe, and has what decoders are told; who is to get no pictures gets
// none, and a keyframe first when he is.
func TestPassedPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tags := tagsOf(keyframe, picture, sound, configuration, picture, picture, picture, picture, keyframe, picture)
		for name, c := range map[string]struct {
			do   func(p *passed)
			want []int
		}{
			"paused": {func(p *passed) {
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- p.Rest(ctx) }()
				synctest.Wait()
				stop()
				<-done
			}, nil},
			"no pictures":       {func(p *passed) { p.Receive(flv.Video, false) }, []int{2, 3}},
			"pictures, and not": {func(p *passed) { p.Receive(flv.Video, false); p.Receive(flv.Video, true) }, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
			"no sound":          {func(p *passed) { p.Receive(flv.Audio, false) }, []int{0, 1, 3, 4, 5, 6, 7, 8, 9}},
		} {
			p := passOn(t, tags, io.EOF)
			c.do(p)
			got, err := all(t, p)
			var want []flv.Tag
			for _, i := range c.want {
				want = append(want, tags[i])
			}
			if c.want == nil { // all has come meanwhile
				want = tagsOf(configuration)
				want[0].Timestamp = tags[3].Timestamp
			}
			if !same(got, want) || err != io.EOF {
				t.Errorf("%s: %d of %d, %v", name, len(got), len(want), err)
			}
			p.Close()
		}
	})
}

// What isn't what another process gives is refused.
func TestPassedOfNothing(t *testing.T) {
	for _, text := range []string{"", "null", "null\nFLV", "{}\n", "no\n"} {
		r, w := io.Pipe()
		go func() { _, _ = io.WriteString(w, text); w.Close() }()
		if _, err := take(r); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
