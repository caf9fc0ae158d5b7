package gate

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// An operator's end reaches each publisher within two seconds: by its next tag, or where none comes, whenever the last
// one was.
func TestEndReachesWhoIsSilent(t *testing.T) {
	for _, silent := range []time.Duration{0, 900 * time.Millisecond, time.Second, 2 * time.Second} {
		for _, goesOn := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				g, p := newGate(), newPeer()
				sink, err := g.ask(p)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(silent)
				if goesOn {
					p.speak()
				}
				asked := time.Now()
				if !g.EndSession(g.Sessions()[0].ID) {
					t.Fatal("there is no such session")
				}
				if goesOn {
					if err := sink.WriteTag(flv.Tag{}); !errors.Is(err, errSessionEnded) {
						t.Errorf("the next tag: %v", err)
					}
					sink.Close(err)
					time.Sleep(time.Minute)
					if len(p.hung) > 0 {
						t.Error("it is hung up on, too")
					}
					return
				}
				select {
				case why := <-p.hung:
					if took := time.Since(asked); took > 2*time.Second || !errors.Is(why, errSessionEnded) {
						t.Errorf("after %v: %v", took, why)
					}
				case <-time.After(time.Minute):
					t.Errorf("one that has been silent for %v is there a minute later", silent)
				}
				sink.Close(errSessionEnded)
			})
		}
	}
}
