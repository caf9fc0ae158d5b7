package health

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/health.md anew")

const preface = `# Health

Every second sluice looks at each stream and at what its encoders have sent in the last 5 seconds, and says in sentences what is
wrong and what to do. The sentences are

- in the API: ` + "`health` of `/api/v1/streams` and `/api/v1/streams/APP/NAME`" + `, with what was measured in ` + "`measured`" + ` of a session
  ([api.md](api.md));
- events, when they come and when they are over: ` + "`health` of `/api/v1/events`" + `, and of webhooks
  ([webhook.md](webhook.md#health));
- in the log, once when they come ("unwell") and once when they are over ("well again");
- in what ` + "`sluice probe URL`" + ` prints of a stream or a recording, of this server or another: those that can be seen from outside, on how frames
  come;
- counted in ` + "`sluice_health_sentences{severity=…}`" + ` of ` + "`/metrics`" + `.

A sentence has a code, which never changes, and a severity: with **bad**, viewers miss something; with **warning**, some do, or may;
with **notice**, it could be better. A stream that is well has none. So that sentences don't flap, a fault that comes and goes is told
when it has lasted 8 s, is over when it has been away for 15 s, and needs less to stay than to come.
`

// docs/health.md is made from the rules: go test ./packager/health -run Docs -update.
func TestDocs(t *testing.T) {
	var b strings.Builder
	b.WriteString(preface)
	for _, r := range rules {
		fmt.Fprintf(&b, "\n## %s\n\n**%s**: %s.\n\n- OBS: %s\n- ffmpeg: %s\n", r.code, r.severity, r.when, r.obs, code(r.ffmpeg))
	}
	const file = "../../docs/health.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != b.String() {
		t.Errorf("docs/health.md is not what the rules say, %v: go test ./packager/health -run Docs -update", err)
	}
}

// code marks options of a command.
func code(s string) string {
	if !strings.HasPrefix(s, "-") {
		return s
	}
	option, rest, more := strings.Cut(s, ", ")
	if !more {
		if option, rest, more = strings.Cut(s, ": "); more {
			return "`" + option + "`: " + rest
		}
		return "`" + s + "`"
	}
	return "`" + option + "`, " + rest
}
