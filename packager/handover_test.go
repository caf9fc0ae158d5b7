package packager_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/remux"
)

// drawn is all that viewers see of a Window, bytes included.
func drawn(t *testing.T, w *packager.Window) string {
	t.Helper()
	var b strings.Builder
	mpd, err := dash.MPD(w)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%v, extent %v\n%s\n%s\n", w.State, w.Extent, hls.Multivariant(w), mpd)
	for _, list := range [][]packager.Rendition{w.Renditions, w.Former} {
		for i := range list {
			r := &list[i]
			fmt.Fprintf(&b, "%s number %d open %d part %d\n", r.ID, r.Number, r.Open, r.NextPart)
			if len(r.Segments) > 0 {
				fmt.Fprintf(&b, "%s\n", hls.Media(w, r, hls.Full))
			}
			for _, segments := range [][]*packager.Segment{r.Retired, r.Segments} {
				for _, s := range segments {
					fmt.Fprintf(&b, "%s %d %d %x\n", s.Name(), s.Duration, s.Samples, segmentBytes(s))
				}
			}
		}
	}
	return b.String()
}

// A stream that is handed over is the same to viewers, and goes on, when its encoder comes,
// exactly as it would have where it was.
func TestHandOver(t *testing.T) {
	for name, tracks := range map[string][]remux.Track{"picture and sound": {video, audio}, "the picture stays away": {video}} {
		t.Run(name, func(t *testing.T) {
			stays := newLife(t)
			f := stays.publish(t, video, audio)
			r := rand.New(rand.NewPCG(3, 3))
			for range 6 {
				f.gop(r, 60, 30)
			}
			f.gop(r, 20, 30)
			if _, err := stays.c.HandOver(stays.name); err == nil {
				t.Error("a live stream is handed over")
			}
			f.p.Close(errLost)
			stays.now = stays.now.Add(20 * time.Second)

			moves := newLife(t)
			moves.now = stays.now
			move(t, stays.c, moves.c, stays.name)
			if a, b := drawn(t, stays.window(t)), drawn(t, moves.window(t)); a != b {
				t.Fatalf("it was\n%.2000s\nand is\n%.2000s", a, b)
			}
			// It goes on as it would have there: numbers, discontinuities and headers.
			var after [2]string
			for i, l := range []*life{stays, moves} {
				l.now = l.now.Add(5 * time.Second)
				g := l.publish(t, tracks...)
				for k := range 200 {
					g.write(remux.Sample{DTS: (start.Unix()+25)*90000 + int64(k)*3000, Duration: 3000, Sync: k%60 == 0}, []byte("picture"))
				}
				g.p.Close(nil)
				w := l.window(t)
				for k := range w.Renditions {
					r := &w.Renditions[k]
					for _, s := range append(r.Retired[:len(r.Retired):len(r.Retired)], r.Segments...) {
						after[i] += fmt.Sprintln(r.ID, r.Number, s.MSN, s.Header.Period.Sequence, s.Header.Before != nil, s.Header.Name(), s.Samples, len(s.Parts))
					}
				}
			}
			if after[0] != after[1] {
				t.Errorf("where it stayed:\n%s\nwhere it went:\n%s", after[0], after[1])
			}
			// An ended one goes, too, and a publication behind it has higher numbers.
			third := newLife(t)
			third.now = moves.now
			move(t, moves.c, third.c, moves.name)
			if a, b := drawn(t, moves.window(t)), drawn(t, third.window(t)); a != b {
				t.Error("an ended stream is another one")
			}
			old := moves.window(t).Renditions[0].Open
			g := third.publish(t, video, audio)
			g.gop(rand.New(rand.NewPCG(5, 5)), 120, 30)
			if got := third.window(t).Renditions[0].Open; got <= old {
				t.Errorf("number %d behind %d", got, old)
			}
			moves.c.Release(moves.name)
			if _, ok := moves.c.Lookup(moves.name); ok || !moves.c.Quiet() {
				t.Error("it is still there")
			}
		})
	}
}

func move(t *testing.T, from, to *packager.Catalog, name packager.StreamName) {
	t.Helper()
	write, err := from.HandOver(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for _, n := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
		if err := to.Adopt(name, bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("%d bytes of %d are taken for all", n, len(whole))
		}
	}
	if err := to.Adopt(name, bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	if err := to.Adopt(name, bytes.NewReader(whole)); err == nil {
		t.Error("it is taken twice")
	}
}
