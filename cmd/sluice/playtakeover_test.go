package main

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// Who begins to play while one encoder takes the place of another that is dead, at whatever moment of
// that, plays on with the second: from a keyframe, without a gap of his own, to its end.
func TestPlayTakeover(t *testing.T) {
	inTheatre(t, func(*config.Config) {}, func(h *theatre) {
		p := h.encoder()
		h.publish(p, 8*time.Second)
		began := time.Now() // it says nothing any more, and its connection stays
		join := func(at time.Duration) chan *audience {
			joined := make(chan *audience, 1)
			go func() {
				time.Sleep(time.Until(began.Add(at)))
				who, err := h.play("cam1", client.Tells{}, nil)
				if err != nil {
					t.Errorf("at %v: %v", at, err)
				}
				joined <- who
			}()
			return joined
		}
		moments := []time.Duration{0, time.Second, 1999 * time.Millisecond, 2 * time.Second, 2001 * time.Millisecond, 2100 * time.Millisecond, 3 * time.Second}
		var joins []chan *audience
		for _, at := range moments {
			joins = append(joins, join(at))
		}
		time.Sleep(1500 * time.Millisecond)
		q := h.encoder() // waits until the first is taken for dead
		taken := time.Since(began)
		if taken < 2*time.Second || taken > 2500*time.Millisecond {
			t.Errorf("it is let in after %v", taken)
		}
		first := len(h.sent)
		h.publish(q, 8*time.Second)
		q.Close()
		second := of(flv.TagVideo, h.sent[first:])
		for i, joined := range joins {
			who := <-joined
			if who == nil {
				continue
			}
			<-who.done
			got := of(flv.TagVideo, who.got)
			name := fmt.Sprintf("who came at %v", moments[i])
			if who.err != io.EOF || len(got) == 0 || got[0].Body[0]>>4 != 1 {
				t.Errorf("%s: %d pictures, %v", name, len(got), who.err)
				continue
			}
			if len(got) < len(second) && moments[i] < taken {
				t.Errorf("%s: %d pictures, where the second encoder alone has sent %d", name, len(got), len(second))
			}
			last := got[len(got)-1].Body
			if want := second[len(second)-1].Body; string(last[5:]) != string(want[5:]) {
				t.Errorf("%s: the last picture is another", name)
			}
			for k := 1; k < len(got); k++ {
				if step := int32(got[k].Timestamp - got[k-1].Timestamp); step < 0 || step > 3000 {
					t.Errorf("%s: a step of %d ms", name, step)
				}
			}
		}
	})
}
