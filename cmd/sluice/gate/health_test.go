package gate

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// What an encoder sends is judged: operators see the sentence and what it is based on,
// and hear of it once when it comes and once when it is over.
func TestHealthOfAPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		g := newGate()
		g.Metrics = metrics.New()
		var told []string
		g.Tell = func(e admin.Event) {
			if e.Kind == admin.HealthIs {
				if a := e.Advice; a == nil || string(a.Code) != e.Code || a.Text != e.Text || a.OBS == "" || a.FFmpeg == "" || e.Stream != "live/cam1" {
					t.Errorf("told: %+v", e)
				}
				told = append(told, map[bool]string{false: "+", true: "-"}[e.Over]+e.Code)
			}
		}
		sink, err := g.ask(newPeer())
		if err != nil {
			t.Fatal(err)
		}
		name, _ := packager.ParseStreamName("live", "cam1")
		encoder := &slides{sink: sink}
		for i := range 150 {
			if err := encoder.show(1<<10, i%10 == 0 || i > 60 && i%2 == 0); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			g.Patrol()
			switch all := g.Health(name); {
			case i == 5 && len(all) != 0:
				t.Errorf("too soon: %+v", all)
			case i == 50 && (len(all) == 0 || all[0].Code != "keyframes_far" || !strings.Contains(all[0].Text, "every 10 s") || g.Unwell()["warning"] == 0):
				t.Errorf("not told: %+v", all)
			}
		}
		if got := strings.Join(told, " "); strings.Count(got, "+keyframes_far") != 1 || strings.Count(got, "-keyframes_far") != 1 {
			t.Errorf("told: %s", got)
		}
		one := g.Sessions()[0]
		if m := one.Measured; m == nil || len(m.Tracks) != 1 || m.Tracks[0].Keyframes[0] != 2 || one.Bytes < 100<<10 {
			t.Errorf("measured: %+v", one)
		}
		sink.Close(nil)
		for range 70 {
			time.Sleep(time.Second)
			g.Catalog.Expire()
			g.Patrol()
		}
		if len(g.ailments.charts) != 0 || len(g.lives.of) != 0 || len(g.Health(name)) != 0 {
			t.Error("a stream that is forgotten is remembered")
		}
	})
}
