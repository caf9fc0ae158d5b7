package e2e

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// recorded reads a recording of what an encoder sent: ingest/testdata/wire.
func recorded(t testing.TB, name string) []flv.Tag {
	t.Helper()
	return clipTags(t, filepath.Join("..", "ingest", "testdata", "wire", name+".flv"))
}

// track is a track of a recording, of which each message has one only.
type track struct {
	kind   flv.Kind
	id     uint8
	fourCC flv.FourCC
	frames []flv.Tag
	period float64 // ms, after which it begins anew
}

// samplesOf is how many samples at 48 kHz the frames of the recordings have.
var samplesOf = map[flv.FourCC]float64{
	flv.MP4A: 1024, flv.Opus: 960, flv.FLAC: 4608, flv.MP3: 1152, flv.AC3: 1536, flv.EC3: 1536,
}

// looped is a recording that goes on for ever: each track begins anew when it is
// over, whatever the others do, with timestamps that go on.
type looped struct {
	head   []flv.Tag // configurations, and all else that isn't a frame
	tracks []*track
}

func loop(t testing.TB, tags []flv.Tag) *looped {
	t.Helper()
	l := new(looped)
	for _, tag := range tags {
		for p, err := range flv.Packets(tag) {
			if err != nil || p.Type == flv.PacketEnd {
				continue
			}
			if p.Type != flv.PacketFrame {
				tag.Timestamp = 0
				l.head = append(l.head, tag)
				continue
			}
			i := slices.IndexFunc(l.tracks, func(tr *track) bool { return tr.kind == p.Kind && tr.id == p.TrackID })
			if i < 0 {
				i, l.tracks = len(l.tracks), append(l.tracks, &track{kind: p.Kind, id: p.TrackID, fourCC: p.FourCC})
			}
			l.tracks[i].frames = append(l.tracks[i].frames, tag)
		}
	}
	for _, tr := range l.tracks {
		each := 1000.0 / frameRate
		if tr.kind == flv.Audio {
			each = samplesOf[tr.fourCC] / 48
		}
		tr.period = float64(len(tr.frames)) * each
	}
	return l
}

// tags has the first span of the loop.
func (l *looped) tags(span time.Duration) []flv.Tag {
	end := uint32(span.Milliseconds())
	var tags []flv.Tag
	for _, tr := range l.tracks {
		for n := 0; ; n++ {
			tag := tr.frames[n%len(tr.frames)]
			tag.Timestamp += uint32(math.Round(float64(n/len(tr.frames)) * tr.period))
			if tag.Timestamp >= end {
				break
			}
			tags = append(tags, tag)
		}
	}
	slices.SortStableFunc(tags, func(a, b flv.Tag) int { return int(a.Timestamp) - int(b.Timestamp) })
	return append(slices.Clone(l.head), tags...)
}

// units has the access units of one track of tags, as a server should give them.
func units(tags []flv.Tag, kind flv.Kind, id uint8) (out []accessUnit) {
	for _, tag := range tags {
		for p, err := range flv.Packets(tag) {
			if err == nil && p.Type == flv.PacketFrame && p.Kind == kind && p.TrackID == id {
				out = append(out, accessUnit{
					dts: int64(p.Timestamp), composition: int64(p.Composition), sync: p.Keyframe || kind == flv.Audio, data: bytes.Clone(p.Data),
				})
			}
		}
	}
	return out
}

// sendPaced publishes tags at the pace of their timestamps, until they or ctx end.
func sendPaced(ctx context.Context, t testing.TB, url string, tags []flv.Tag) *sync.WaitGroup {
	t.Helper()
	rtmp, err := client.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	began := time.Now()
	done.Go(func() {
		for _, tag := range tags {
			select {
			case <-time.After(time.Until(began.Add(time.Duration(tag.Timestamp) * time.Millisecond))):
			case <-ctx.Done():
				rtmp.Abort()
				return
			}
			if err := rtmp.WriteTag(tag); err != nil {
				t.Errorf("publishing: %v", err)
				rtmp.Abort()
				return
			}
		}
		if err := rtmp.Close(); err != nil {
			t.Errorf("publishing: %v", err)
		}
	})
	t.Cleanup(done.Wait)
	return &done
}
