package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// firefox is a headless Firefox with one page, driven by Marionette, the protocol
// behind its WebDriver: a length, a colon, and an array in JSON.
type firefox struct {
	conn net.Conn
	in   *bufio.Reader
	id   int
}

func browseFirefox(t testing.TB) *firefox {
	t.Helper()
	needs(t, "firefox-esr")
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	profile := t.TempDir()
	writeFile(t, filepath.Join(profile, "user.js"), `user_pref("marionette.port", `+port+`);
user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 0);
`)
	start(t, "env", "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1", "firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", profile)
	f := new(firefox)
	eventually(t, 40*time.Second, "Firefox listens", func() (err error) {
		f.conn, err = net.DialTimeout("tcp", addr, time.Second)
		return err
	})
	t.Cleanup(func() { f.conn.Close() })
	f.in = bufio.NewReader(f.conn)
	if _, err := f.read(); err != nil { // its greeting
		t.Fatal(err)
	}
	if err := f.call("WebDriver:NewSession", map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// read reads one message.
func (f *firefox) read() ([]byte, error) {
	const most = 1 << 24
	f.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	text, err := f.in.ReadString(':')
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, ":"))
	if err != nil || n > most {
		return nil, fmt.Errorf("a message of length %q", text)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(f.in, b)
	return b, err
}

// call sends one command; into gets what it answers with.
func (f *firefox) call(command string, params, into any) error {
	f.id++
	text, err := json.Marshal([]any{0, f.id, command, params})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f.conn, "%d:%s", len(text), text); err != nil {
		return err
	}
	b, err := f.read()
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	var answer [4]json.RawMessage
	if err := json.Unmarshal(b, &answer); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, b)
	}
	if string(answer[2]) != "null" {
		return fmt.Errorf("%s: %s", command, answer[2])
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer[3], into)
}

func (f *firefox) open(t testing.TB, url string) {
	t.Helper()
	if err := f.call("WebDriver:Navigate", map[string]any{"url": url}, nil); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}

// text evaluates an expression that is a string.
func (f *firefox) text(t testing.TB, expression string) string {
	t.Helper()
	var answer struct {
		Value string `json:"value"`
	}
	// Without a sandbox of its own the script sees what the page's scripts have made.
	if err := f.call("WebDriver:ExecuteScript", map[string]any{"script": "return " + expression, "args": []any{}, "sandbox": nil}, &answer); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return answer.Value
}

// run runs a script in the page.
func (f *firefox) run(t testing.TB, script string) {
	t.Helper()
	if err := f.call("WebDriver:ExecuteScript", map[string]any{"script": script, "args": []any{}, "sandbox": nil}, nil); err != nil {
		t.Fatal(err)
	}
}
