package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKeysByHangup replaces a stream key by a signal: the encoder that is live
// goes on, and only the new key lets in.
func TestKeysByHangup(t *testing.T) {
	needs(t, "ffmpeg")
	clip := clip360(t)
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	says := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := func(cam1, cam2 string) string {
		return fmt.Sprintf("publish:\n  keys:\n    cam1: %x\n    cam2: %x\n", sha256.Sum256([]byte(cam1)), sha256.Sum256([]byte(cam2)))
	}
	says(keys("old1", "old2"))
	s := startServer(t, "-config", file)
	hangup := func(told string) {
		t.Helper()
		s.cmd.Process.Signal(syscall.SIGHUP)
		eventually(t, 5*time.Second, told, func() error {
			if !strings.Contains(s.output.String(), told) {
				return errors.New("the log doesn't say so")
			}
			return nil
		})
	}
	push := func(key, seconds string) *child {
		return start(t, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-re", "-i", clip, "-t", seconds, "-c", "copy", "-f", "flv", s.rtmpURL("live/"+key))
	}
	live := push("old1", "8")
	awaitPlayable(t, s, "live/cam1")
	says("publish:\n  keys: nonsense\n")
	hangup("has faults")
	says(keys("new1", "new2"))
	hangup("is as it says now")
	push("new2", "2").wait(t, 20*time.Second)
	refused := push("old2", "2")
	<-refused.exited
	if out := refused.output.String(); !strings.Contains(out, "not one of publish.keys") {
		t.Errorf("by the old key: %s", out)
	}
	live.wait(t, 20*time.Second)
}
