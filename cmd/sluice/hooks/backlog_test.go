package hooks

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
)

// What waits of a stream goes from one process to another, the one under way with it, and is
// told there by the same ids, in front of what has happened there. Other streams stay.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := begin(one("a")), begin(one("a"))
		from.holds = time.Hour // no answer comes
		for _, text := range []string{"1", "2", "3"} {
			from.tell("live/cam1", text)
			from.tell("live/cam2", text)
		}
		synctest.Wait()
		to.holds = time.Second
		to.feed.Tell(admin.Event{Kind: admin.Published, Stream: "live/cam1", Text: "4"}) // it is under way there
		synctest.Wait()
		to.tell("live/cam1", "5")
		began := time.Now()
		all := from.Give("live/cam1")
		if took := time.Since(began); took < lastAnswer || took > 2*lastAnswer || len(all) != 1 {
			t.Errorf("%v, %v", took, all)
		}
		to.Take("live/cam1", all)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := to.got("a", "live/cam1"); got != "41235" {
			t.Errorf("the other process tells %s", got)
		}
		calls, _ := from.seen()
		var id string
		for _, c := range calls {
			if c.says.Data.Text == "1" && c.says.Data.Stream == "live/cam1" {
				id = c.id
			}
		}
		if calls, _ := to.seen(); len(calls) < 2 || calls[1].id != id || id == "" {
			t.Errorf("told again by another id than %q", id)
		}
		if st := from.State()[0]; st.Waiting != 3 || len(from.Give("live/cam9")) != 0 {
			t.Errorf("what stays: %+v", st)
		}
		from.Set(Settings{})
		from.end()
		to.end()
	})
}
