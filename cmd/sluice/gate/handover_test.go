package gate

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// mover is a peer that may understand that it is to come by another connection.
type mover struct {
	*peer
	understands bool
}

func (m mover) Reconnect(string) bool { return m.understands }

// When the encoder of one quality has come to another process, those of the others that
// understand it have a moment to get to the same keyframe. Who doesn't is hung up on at once.
func TestYieldLetsOthersMove(t *testing.T) {
	for name, c := range map[string]struct {
		understands bool
		leaves      time.Duration // when the other one has its keyframe
		want        time.Duration // until the stream is let go
	}{
		"it moves":         {true, movingTime / 2, movingTime/2 + movedSilence},
		"it never leaves":  {true, time.Hour, movingTime + movedSilence},
		"it doesn't move":  {false, time.Hour, movedSilence},
		"it leaves before": {true, 0, movedSilence},
	} {
		t.Run(name, func(t *testing.T) {
			inQualities(t, false, func(t *testing.T, g *Gate) {
				large, small := mover{newPeer(), true}, mover{newPeer(), c.understands}
				for name, m := range map[string]mover{"cam1_720p": large, "cam1_360p": small} {
					sink, err := g.pushBy(name, m)
					if err != nil {
						t.Fatal(err)
					}
					go func() { sink.Close(<-m.hung) }()
				}
				g.Drain("")
				g.moveOn()
				began := time.Now()
				var over atomic.Bool
				var speaking sync.WaitGroup
				defer speaking.Wait()
				defer over.Store(true)
				speaking.Go(func() {
					for !over.Load() && time.Since(began) < c.leaves {
						small.speak()
						time.Sleep(40 * time.Millisecond)
					}
				})
				stream, _ := packager.ParseStreamName("live", "cam1")
				pushed, _ := packager.ParseStreamName("live", "cam1_720p")
				if err := g.Yield(context.Background(), stream, pushed); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.want-movedSilence/2 || took > c.want+movedSilence {
					t.Errorf("it took %v, want %v", took, c.want)
				}
				if n := g.Publishing(); n != 0 {
					t.Errorf("%d publish yet", n)
				}
			})
		})
	}
}
