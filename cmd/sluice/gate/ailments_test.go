package gate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
)

// What is wrong with a stream is logged once when it comes, and once when it is over.
func TestAilmentsAreLoggedOnce(t *testing.T) {
	var b bytes.Buffer
	log, all, told := zerolog.New(&b), ailments{}, 0
	tell := func(admin.Event) { told++ }
	name, _ := packager.ParseStreamName("live", "cam1")
	for range 3 {
		all.see(name, []health.Advice{{Text: "no sound"}}, log, tell)
	}
	for range 3 {
		all.see(name, nil, log, tell)
	}
	text := b.String()
	if strings.Count(text, "unwell") != 1 || strings.Count(text, "well again") != 1 || strings.Count(text, "no sound") != 2 {
		t.Errorf("logged:\n%s", text)
	}
	if len(all.now) != 0 || told != 2 {
		t.Errorf("%d streams are remembered, %d events told", len(all.now), told)
	}
}

// A sentence whose number changes is the same one: it is not over, and whoever was told of
// it is told nothing until it is.
func TestNumbersComeAndGoUntold(t *testing.T) {
	name, _ := packager.ParseStreamName("live", "cam1")
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	slow := func(text string, since int) health.Advice {
		return health.Advice{Code: "frame_rate_low", Track: "v1", Text: text, Since: at(since)}
	}
	left := func(text string, since int) health.Advice {
		return health.Advice{Code: "left_out", Text: text, Since: at(since)}
	}
	for _, c := range []struct {
		name string
		seen [][]health.Advice
		told string
	}{
		{"another number", [][]health.Advice{{slow("sends 5.3", 1)}, {slow("sends 7.2", 1)}, {slow("sends 5.3", 1)}, nil}, "+sends 5.3 -sends 5.3"},
		{"two encoders", [][]health.Advice{{slow("sends 5", 1), slow("sends 7", 2)}, {slow("sends 6", 1), slow("sends 5", 2)}, {slow("sends 5", 2)}, nil},
			"+sends 5 +sends 7 -sends 6 -sends 5"},
		{"two that came at once", [][]health.Advice{{left("speex", 1), left("vp6", 1)}, {left("vp6", 1)}, nil}, "+speex +vp6 -speex -vp6"},
		{"it came again", [][]health.Advice{{slow("sends 5", 1)}, nil, {slow("sends 5", 30)}}, "+sends 5 -sends 5 +sends 5"},
		{"another track", [][]health.Advice{{slow("sends 5", 1)}, {{Code: "frame_rate_low", Track: "v2", Text: "sends 5", Since: at(1)}}}, "+sends 5 +sends 5 -sends 5"},
	} {
		var all ailments
		var told []string
		for _, seen := range c.seen {
			all.see(name, seen, zerolog.Nop(), func(e admin.Event) { told = append(told, map[bool]string{true: "-", false: "+"}[e.Over]+e.Text) })
		}
		if got := strings.Join(told, " "); got != c.told {
			t.Errorf("%s: told %q, not %q", c.name, got, c.told)
		}
	}
}
