package hooks

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager/health"
)

var update = flag.Bool("update", false, "write docs/webhook.md anew")

// examples are one event of each kind, as the program tells them.
func examples() []admin.Event {
	at := time.Date(2026, 11, 28, 19, 30, 0, 0, time.UTC)
	advice := &health.Advice{
		Code: "keyframes_far", Severity: health.Warning, Track: "v1", Since: at.Add(-8 * time.Second),
		Text: "v1: keyframes come every 8.3 s: viewers wait for one to begin, and latency grows with them; set the keyframe interval to 2 s",
		OBS:  "Settings → Output (Advanced) → Streaming → Keyframe Interval: 2 s", FFmpeg: "-force_key_frames 'expr:gte(t,n_forced*2)'",
	}
	const stream, encoder, session = "live/cam1", "192.0.2.7:50312", "k4wq7dzc2f5a"
	return []admin.Event{
		{Kind: admin.Published, Stream: stream, Pushed: stream, Session: session, Remote: encoder},
		{Kind: admin.Ready, Stream: stream},
		{Kind: admin.HealthIs, Stream: stream, Code: string(advice.Code), Text: advice.Text, Advice: advice},
		{Kind: admin.HealthIs, Stream: stream, Code: string(advice.Code), Text: advice.Text, Advice: advice, Over: true},
		{Kind: admin.Switched, Stream: stream, Pushed: stream, Remote: "192.0.2.8:41822", Code: "lost", Text: "it is on air in the place of another encoder: the one before is lost"},
		{Kind: admin.Unpublished, Stream: stream, Pushed: stream, Session: session, Remote: encoder, Text: "unexpected EOF"},
		{Kind: admin.Lost, Stream: stream},
		{Kind: admin.Back, Stream: stream},
		{Kind: admin.Ended, Stream: stream},
		{Kind: admin.Refused, Remote: "198.51.100.9:1025", Text: "access denied: the stream key is not one of publish.keys"},
		{Kind: admin.Relaying, Stream: stream, Text: "pushing rtmp://a.example.com/…"},
		{Kind: admin.Relaying, Stream: stream, Text: "push rtmp://a.example.com/…: the server has hung up: EOF", Over: true},
		{Kind: admin.Reloaded},
		{Kind: admin.Drained, Text: "no publisher is let in"},
	}
}

var meaning = map[admin.Kind]string{
	admin.Published:   "an encoder was let in",
	admin.Ready:       "a stream can be watched",
	admin.HealthIs:    "something is wrong with a stream, with what to set ([health.md](health.md)); with `over`, it is no longer so",
	admin.Switched:    "an encoder that stood by is on air in the place of another ([abr.md](abr.md)); `code` is `lost`, `silent`, `hand` or `return`",
	admin.Unpublished: "a session of an encoder is over, and why",
	admin.Lost:        "a stream waits for its encoder",
	admin.Back:        "its encoder is back",
	admin.Ended:       "a stream is over",
	admin.Refused:     "a publisher was refused; `stream` is there where it is known which one was meant",
	admin.Relaying:    "a stream comes from another server, or goes to one ([relay.md](relay.md)); with `over`, it does so no longer",
	admin.Reloaded:    "the configuration was read again",
	admin.Drained:     "the server is drained, or no longer",
}

// The end of docs/webhook.md is made from the code, and the receiver in it is the one
// that our tests go by: go test ./cmd/sluice/hooks -run Docs -update.
func TestDocs(t *testing.T) {
	const file = "../../../docs/webhook.md"
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const last = "As they are told, but for the line breaks.\n"
	head, _, ok := strings.Cut(string(have), last)
	before, rest, found := strings.Cut(head, "In Go:\n\n```go\n")
	_, after, closed := strings.Cut(rest, "\n```\n")
	if !ok || !found || !closed {
		t.Fatal("docs/webhook.md has lost a line that this test goes by")
	}
	want := before + "In Go:\n\n```go\n" + documented(t) + "\n```\n" + after + last + bodies(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(have) {
		t.Error("docs/webhook.md is not what the code says: go test ./cmd/sluice/hooks -run Docs -update")
	}
}

// documented is the receiver of receiver_test.go.
func documented(t *testing.T) string {
	source, err := os.ReadFile("receiver_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(source), "// receiver in docs\n")
	text, _, ok := strings.Cut(text, "// end of the receiver in docs\n")
	if !ok {
		t.Fatal("where is the receiver?")
	}
	return strings.TrimSpace(text)
}

func bodies(t *testing.T) string {
	var b strings.Builder
	feed := admin.NewFeed(func() time.Time { return time.Date(2026, 11, 28, 19, 30, 0, 0, time.UTC) })
	h := New(feed, time.Now, zerolog.Nop(), nil)
	from := feed.Newest()
	for _, e := range examples() {
		feed.Tell(e)
	}
	events, _, _ := feed.Behind(from)
	told := ""
	for _, e := range events {
		if string(e.Kind) != told {
			told = string(e.Kind)
			fmt.Fprintf(&b, "\n#### %s\n\n%s:\n", e.Kind, strings.ToUpper(meaning[e.Kind][:1])+meaning[e.Kind][1:])
		}
		d := delivery{to: newReceiver(h, ""), event: waiting{Event: e}}
		var out bytes.Buffer
		if err := json.Indent(&out, d.body(), "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n```json\n%s\n```\n", out.String())
	}
	return b.String()
}

// Each kind that there is, but for the one that is for listeners of the feed alone, can
// be configured, and is in docs/webhook.md.
func TestKinds(t *testing.T) {
	for _, e := range examples() {
		if meaning[e.Kind] == "" || !slices.Contains(config.HookEvents, string(e.Kind)) {
			t.Errorf("%s", e.Kind)
		}
	}
	if len(meaning) != len(config.HookEvents) || len(meaning)+1 != len(admin.Kinds()) {
		t.Errorf("%d, %d, %d", len(meaning), len(config.HookEvents), len(admin.Kinds()))
	}
}
