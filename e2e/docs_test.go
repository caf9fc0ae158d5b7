package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fence is a block of a page in docs that says what it is, such as ```sh push.
type fence struct {
	page string
	line int
	kind string // the words behind the three ticks
	text string
}

// fences reads the blocks of README and of all pages in docs that have one of the kinds.
func fences(t testing.TB, kinds ...string) (found []fence) {
	t.Helper()
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$").FindAllSubmatchIndex(text, -1) {
			f := fence{filepath.Base(file), 1 + strings.Count(string(text[:at[0]]), "\n"), string(text[at[2]:at[3]]), string(text[at[4]:at[5]])}
			for _, k := range kinds {
				if f.kind == k {
					found = append(found, f)
				}
			}
		}
	}
	return found
}

func (f fence) name() string { return fmt.Sprintf("%s_%d", strings.TrimSuffix(f.page, ".md"), f.line) }

// command is the block as it is run here: the ports and the file are ours, all
// else is as people read it.
func (f fence) command(s *server, stream, clip string) string {
	return strings.NewReplacer("rtmp://localhost/", "rtmp://"+s.rtmp+"/", "localhost:8080", s.http, "localhost:9090", s.admin,
		"live/cam1", stream, "FILE", clip).Replace(f.text)
}

// shell runs a block to its end, where `sluice` is the one under test.
func shell(t testing.TB, dir, command string, patience time.Duration) (string, error) {
	t.Helper()
	out, err := tool(t, patience, "env", "-C", dir, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"), "bash", "-eu", "-o", "pipefail", "-c", command)
	return string(out), err
}

// What a person pastes from docs does what the page says: `sh push` puts a
// stream on air, `sh watch` plays one, `sh run` needs none.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	needs(t, "ffmpeg", "gst-launch-1.0", "mpv", "curl", "openssl")
	s := startServer(t, "-window-grace", "0s")
	clip := clip360(t)
	pushes, watches, runs := fences(t, "sh push"), fences(t, "sh watch"), fences(t, "sh run")
	if len(pushes) < 4 || len(watches) < 4 || len(runs) < 3 {
		t.Fatalf("only %d that publish, %d that watch, %d others were found", len(pushes), len(watches), len(runs))
	}
	for _, f := range pushes {
		t.Run(f.name(), func(t *testing.T) {
			t.Parallel()
			stream := "live/" + f.name()
			start(t, "bash", "-c", "exec "+strings.TrimSpace(f.command(s, stream, clip)))
			awaitPlayable(t, s, stream)
		})
	}
	t.Run("watch", func(t *testing.T) {
		t.Parallel()
		const stream = "live/watched"
		s.pushClipLoop(t, clip, stream)
		awaitPlayable(t, s, stream)
		for _, f := range watches {
			t.Run(f.name(), func(t *testing.T) {
				t.Parallel()
				if out, err := shell(t, t.TempDir(), f.command(s, stream, clip), 20*time.Second); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	})
	for _, f := range runs {
		t.Run(f.name(), func(t *testing.T) {
			t.Parallel()
			if out, err := shell(t, t.TempDir(), f.command(s, "live/none", clip), 20*time.Second); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
