package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// webkit is a WebKitGTK with one page, driven as W3C's WebDriver says. It is as
// near as Linux comes to Safari: the same rules for what may play by itself.
type webkit struct {
	session string // URL
}

func browseWebKit(t testing.TB) *webkit {
	t.Helper()
	needs(t, "WebKitWebDriver", "xvfb-run")
	addr := freeAddr(t)
	host, port, _ := strings.Cut(addr, ":")
	browsers, _ := filepath.Glob("/usr/lib/*/webkit2gtk-4.*/MiniBrowser")
	if len(browsers) == 0 {
		t.Fatal("no MiniBrowser: apt-get install webkit2gtk-driver")
	}
	home := t.TempDir()
	start(t, "env", "HOME="+home, "XDG_RUNTIME_DIR="+home, "LIBGL_ALWAYS_SOFTWARE=1", "WEBKIT_GST_ENABLE_HLS_SUPPORT=1",
		"xvfb-run", "-a", "-s", "-screen 0 1280x800x24", "WebKitWebDriver", "--host="+host, "--port="+port)
	awaitListening(t, addr)
	w := &webkit{session: "http://" + addr + "/session"}
	var made struct {
		SessionID string `json:"sessionId"`
	}
	if err := w.call(http.MethodPost, "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"webkitgtk:browserOptions": map[string]any{"binary": browsers[len(browsers)-1], "args": []string{"--automation"}},
	}}}, &made); err != nil {
		t.Fatal(err)
	}
	w.session += "/" + made.SessionID
	t.Cleanup(func() { _ = w.call(http.MethodDelete, "", nil, nil) })
	return w
}

// call sends one command; into gets the value that it answers with.
func (w *webkit) call(method, path string, body, into any) error {
	if body == nil && method == http.MethodPost {
		body = map[string]any{}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, w.session+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct{ Value json.RawMessage }{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, answer.Value)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, into)
}

func (w *webkit) eval(t testing.TB, expression string, into any) {
	t.Helper()
	if err := w.call(http.MethodPost, "/execute/sync", map[string]any{"script": "return " + expression, "args": []any{}}, into); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
}

// click presses a button as a person does.
func (w *webkit) click(t testing.TB, selector string) {
	t.Helper()
	var element map[string]string
	if err := w.call(http.MethodPost, "/element", map[string]any{"using": "css selector", "value": selector}, &element); err != nil {
		t.Fatal(err)
	}
	for _, id := range element {
		if err := w.call(http.MethodPost, "/element/"+id+"/click", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWebKit opens the player page in WebKitGTK, whose rule for what plays by
// itself stopped the picture for good: it plays, by itself or by its button.
func TestWebKit(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" {
		t.Skip("E2E_PLAYERS is not set: this takes a minute (make test-players)")
	}
	const stream = "live/webkit"
	s := startServer(t)
	s.pushClipLoop(t, clip360(t), stream)
	awaitPlayable(t, s, stream)
	time.Sleep(8 * time.Second)
	for _, kind := range []string{"hls", "dash"} {
		t.Run(kind, func(t *testing.T) {
			w := browseWebKit(t)
			if err := w.call(http.MethodPost, "/url", map[string]any{"url": s.url(stream + "/#" + kind)}, nil); err != nil {
				t.Fatal(err)
			}
			type view struct {
				Time   float64 `json:"time"`
				Paused bool    `json:"paused"`
				Muted  bool    `json:"muted"`
				Rate   float64 `json:"rate"`
				State  string  `json:"state"`
				Button string  `json:"button"`
			}
			look := func() (v view) {
				w.eval(t, `(() => { if (!window.sluice) return {}; const v = sluice.video; const b = document.getElementById('card-button');
					return { time: v.currentTime, paused: v.paused, muted: v.muted, rate: v.playbackRate, state: sluice.stats().state,
						button: b.offsetParent && !b.hidden ? b.textContent : '' }; })()`, &v)
				return v
			}
			clicked := 0
			eventually(t, 60*time.Second, "the picture moves for five seconds", func() error {
				from := look()
				for range 10 {
					time.Sleep(500 * time.Millisecond)
					if now := look(); now.Button == "Play" {
						if clicked++; clicked > 2 {
							t.Fatalf("it asks again and again: %+v", now)
						}
						w.click(t, "#card-button")
					}
				}
				to := look()
				if to.Time-from.Time < 4 || to.Paused {
					return fmt.Errorf("from %+v to %+v", from, to)
				}
				return nil
			})
			t.Logf("%+v; %d clicks", look(), clicked)
			if v := look(); v.State != "live" || v.Button != "" {
				t.Error(errors.New("it plays, and the page says " + v.State + " " + v.Button))
			}
		})
	}
}
