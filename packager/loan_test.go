package packager

import (
	"errors"
	"testing"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// What a reader holds counts from when the Window has it no more, once for all
// who hold it, until he has done with it.
func TestPinned(t *testing.T) {
	c := NewCatalog(Settings{Segments: 3, SegmentMinDuration: time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: 500 * time.Millisecond}, time.Now)
	name, err := ParseStreamName("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetTracks([]remux.Track{remux.TrackOf(&remux.AAC{
		Config: []byte{0x11, 0x90}, ObjectType: 2, FrameSamples: 1024, Sound: remux.Sound{SampleRate: 48000, Channels: 2, Layout: 2}})}); err != nil {
		t.Fatal(err)
	}
	next := time.Now().Unix() * 48000
	feed := func(seconds int) {
		for range seconds * 47 {
			if err := p.WriteSample(&remux.Sample{DTS: next, Duration: 1024, Sync: true, Data: make([]byte, 100)}); err != nil {
				t.Fatal(err)
			}
			next += 1024
		}
	}
	s, _ := c.Lookup(name)
	feed(5)
	w := s.Window()
	seg := w.Renditions[0].Segments[0]
	one, other := s.Lend(seg.Body(), 0), s.Lend(seg.Body(), 1)
	header := s.Lend(seg.Header.Body(), 0)
	if n := s.Pinned(); n != 0 {
		t.Errorf("%d bytes are pinned that the window has", n)
	}
	stays := w.Stays(&w.Renditions[0], seg)
	feed(int(stays/time.Second) + 2)
	if _, ok := s.Window().Rendition("a1"); !ok {
		t.Fatal("no a1")
	}
	if _, ok := s.Window().Renditions[0].Segment(seg.Header.Period.ID, seg.Start); ok {
		t.Errorf("the window has it after %v", stays)
	}
	if n := s.Pinned(); n != seg.Size {
		t.Errorf("%d bytes are pinned, want %d", n, seg.Size)
	}
	if n, err := one.WriteTo(&onePiece{}); n != int64(len(seg.Parts[0].Bytes)) || err != errFull {
		t.Errorf("%d bytes of the first part were written: %v", n, err)
	}
	if n := s.Pinned(); n != seg.Size {
		t.Errorf("%d bytes are pinned when one of two has done with some, want %d", n, seg.Size)
	}
	other.Return()
	if n, want := s.Pinned(), seg.Size-len(seg.Parts[0].Bytes); n != want {
		t.Errorf("%d bytes are pinned, want %d", n, want)
	}
	one.Return()
	header.Return()
	if n := s.Pinned(); n != 0 || len(s.loans.out) != 0 {
		t.Errorf("%d bytes are pinned when all is returned, and %d loans are out", n, len(s.loans.out))
	}
}

var errFull = errors.New("full")

// onePiece takes a piece and no more.
type onePiece struct{ full bool }

func (w *onePiece) Write(b []byte) (int, error) {
	if w.full {
		return 0, errFull
	}
	w.full = true
	return len(b), nil
}
