package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// full is what a Set shows that has seen something of everything.
func full() string {
	s := New()
	s.Streams(func() map[string]int { return map[string]int{"live": 1} })
	s.Unwell(func() map[string]int { return map[string]int{"bad": 0} })
	s.Pinned(func() int { return 0 })
	s.HooksWaiting(func() int { return 0 })
	s.EachStream(func() []Stream { return []Stream{{Name: "live/cam1"}} })
	s.EachRelay(func() []Relays { return []Relays{{Push, "live", 1}} })
	s.Connected("rtmp")
	s.Refused(Memory)
	s.Answered("media", 200)
	s.Sent("media", 1)
	s.Part(time.Millisecond)
	s.Certificate("https", time.Now())
	s.CertificateFailed("https")
	s.Blocked(time.Now)()
	return scrape(s)
}

// What the alert rules and the dashboard ask for is there.
func TestPackagingKnowsTheMetrics(t *testing.T) {
	have := full()
	dashboard, err := os.ReadFile("../../packaging/grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Error("the dashboard is no JSON")
	}
	alerts, err := os.ReadFile("../../packaging/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\b(sluice|process)_[a-z_]+`).FindAllString(string(dashboard)+string(alerts), -1)
	for _, name := range names {
		if !strings.Contains(have, "\n"+name+"{") && !strings.Contains(have, "\n"+name+" ") {
			t.Errorf("there is no %s", name)
		}
	}
	if len(names) < 20 {
		t.Errorf("%d names", len(names))
	}
}

// Prometheus' own tool finds nothing to say: see make promtool.
func TestPromtool(t *testing.T) {
	if os.Getenv("PROMTOOL") == "" {
		t.Skip("make promtool runs it")
	}
	tool := exec.Command("promtool", "check", "metrics")
	tool.Stdin = strings.NewReader(full())
	if out, err := tool.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
