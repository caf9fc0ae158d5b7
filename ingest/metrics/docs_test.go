package metrics

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// docs/metrics.md is made from what a Set shows: go test ./ingest/metrics -run Docs -update.
func TestDocs(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Metrics\n\n`/metrics` at the admin address is for Prometheus. Beside the metrics below, it has those of the process (`process_…`) and of the Go runtime (`go_…`).\n"+
		"The first %d streams by name have series of their own. Alert rules and a Grafana dashboard are in [packaging](../packaging); `docker compose up -d` starts sluice,\nPrometheus and Grafana with both in place ([docker-compose.yml](../docker-compose.yml): Grafana is at 127.0.0.1:3000, Prometheus at 127.0.0.1:9091).\n\n"+
		"| metric | kind | labels | what it is |\n|---|---|---|---|\n", MostStreams)
	text := full()
	for _, m := range regexp.MustCompile(`(?m)^# HELP (sluice_\w+) (.*)\n# TYPE \w+ (\w+)\n(.*)$`).FindAllStringSubmatch(text, -1) {
		var labels []string
		for _, l := range regexp.MustCompile(`[{,](\w+)="`).FindAllStringSubmatch(m[4], -1) {
			if l[1] != "le" {
				labels = append(labels, "`"+l[1]+"`")
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m[1], m[3], strings.Join(labels, ", "), m[2])
	}
	const file = "../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != b.String() {
		t.Errorf("docs/metrics.md is not what a Set shows, %v: go test ./ingest/metrics -run Docs -update", err)
	}
}
