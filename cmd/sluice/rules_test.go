package main

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/cmd/sluice/systemd"
	"github.com/sluice-live/sluice/config"
	watching "github.com/sluice-live/sluice/httpserve/access"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/packager"
)

// regime is a server whose configuration is read again while it runs.
type regime struct {
	*station
	t    *testing.T
	read chan os.Signal

	mu   sync.Mutex
	says config.Config // what the configuration says now …
	err  error         // … or what is wrong with it
}

func rule(t *testing.T, change func(*config.Config)) *regime {
	t.Helper()
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", ""
	change(&c)
	log := &book{lines: make(chan string, 1000)}
	lines := admin.NewLog()
	a, err := listenOn(c, new(systemd.Sockets), zerolog.New(io.MultiWriter(log, lines)), lines)
	if err != nil {
		t.Fatal(err)
	}
	r := &regime{station: &station{a, log}, t: t, read: make(chan os.Signal), says: c}
	a.again = r.read
	a.reread = func() (config.Config, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.says, r.err
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// decree changes the configuration, has it read, and returns when the log says
// so in these words.
func (r *regime) decree(words string, change func(*config.Config)) {
	r.t.Helper()
	r.mu.Lock()
	change(&r.says)
	r.mu.Unlock()
	r.log.read = ""
	r.read <- syscall.SIGHUP
	r.log.until(r.t, words)
}

func (r *regime) status(path string) int {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.http.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code
}

func hashes(keys ...string) map[string]string {
	all := make(map[string]string)
	for i := 0; i < len(keys); i += 2 {
		all[keys[i]] = access.HashKey(keys[i+1]).String()
	}
	return all
}

// What the log says behind a signal.
const (
	readAgain = "who may publish and who may watch is as it says now"
	hadFaults = "has faults: who may publish and who may watch stays as it was"
	otherNews = "other settings have changed, too"
)

// Keys are replaced without a restart, and nobody is cut off for it.
func TestKeysAreReplaced(t *testing.T) {
	r := rule(t, func(c *config.Config) { c.Publish.Keys = hashes("cam1", "old1", "cam2", "old2") })
	live, err := client.Dial(t.Context(), "rtmp://"+r.ports.Addr.RTMP.String()+"/live/old1", nil)
	if err != nil {
		t.Fatal(err)
	}
	tags := clipBeginning(t)
	half := len(tags) / 2
	write := func(from, to int) {
		t.Helper()
		for _, tag := range tags[from:to] {
			if err := live.WriteTag(tag); err != nil {
				t.Fatalf("the one who is live: %v", err)
			}
		}
	}
	write(0, half)
	r.decree(readAgain, func(c *config.Config) { c.Publish.Keys = hashes("cam1", "new1", "cam2", "new2") })
	if err := r.publish(t, "live/old2"); err == nil || !strings.Contains(err.Error(), "the stream key is not one of publish.keys") {
		t.Errorf("by the old key: %v", err)
	}
	if err := r.publish(t, "live/new2"); err != nil {
		t.Errorf("by the new key: %v", err)
	}
	write(half, len(tags))
	if n := r.live(); n != 1 {
		t.Errorf("%d are live", n)
	}
	if err := live.Close(); err != nil {
		t.Errorf("the one who was live: %v", err)
	}

	r.decree(hadFaults, func(*config.Config) { r.err = errors.New("sluice.yaml:3: publish.keys: nonsense") })
	if err := r.publish(t, "live/new2"); err != nil {
		t.Errorf("behind a faulty configuration: %v", err)
	}
	if !strings.Contains(r.log.read, "sluice.yaml:3: publish.keys: nonsense") {
		t.Errorf("the log doesn't name the fault:\n%s", r.log.read)
	}
	// A fault in one half leaves the other as it was, too.
	r.decree(hadFaults, func(c *config.Config) {
		r.err = nil
		c.Publish.Keys = hashes("cam1", "newer")
		c.Watch.JWT.SecretFile = "no/such/file"
	})
	if err := r.publish(t, "live/new2"); err != nil {
		t.Errorf("behind a faulty half: %v", err)
	}
	r.decree(otherNews, func(c *config.Config) {
		c.Watch.JWT.SecretFile = ""
		c.HTTP.MaxPerAddress++
	})
	if !strings.Contains(r.log.read, `"settings":["http.max_per_address"]`) {
		t.Errorf("the log doesn't name what needs a restart:\n%s", r.log.read)
	}
	events, _, _ := r.feed.Behind(0)
	if last := events[len(events)-1]; last.Kind != admin.Reloaded || !strings.HasSuffix(last.Text, "need a restart: http.max_per_address") {
		t.Errorf("the event doesn't name it: %+v", last)
	}
	if err := r.publish(t, "live/newer"); err != nil {
		t.Errorf("behind a mended configuration: %v", err)
	}
	// It is no rule of who may publish, though it stands among them.
	r.decree(otherNews, func(c *config.Config) { *c = r.cfg; c.Publish.Backup = true })
}

// Watching is closed and opened without a restart, and who is in stays in.
func TestWatchingIsReplaced(t *testing.T) {
	const playlist = "/live/cam1/index.m3u8"
	r := rule(t, func(*config.Config) {})
	expect := func(what, path string, want int) {
		t.Helper()
		if got := r.status(path); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	expect("nobody publishes, but all may watch", playlist, 404)
	r.decree(readAgain, func(c *config.Config) { c.Watch.TokenKeys = []string{someKey} })
	expect("without a token", playlist, 401)
	key, err := watching.ParseKey(someKey)
	if err != nil {
		t.Fatal(err)
	}
	token, err := watching.Signed{ACL: []string{"/live/cam1/*"}, Expires: r.clock.now().AddDate(1, 0, 0)}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.http.Handler().ServeHTTP(w, httptest.NewRequest("GET", playlist+"?token="+token, nil))
	_, pass, ok := strings.Cut(w.Header().Get("Location"), "/t/")
	if w.Code != 302 || !ok {
		t.Fatalf("with a token: %d, to %s", w.Code, w.Header().Get("Location"))
	}
	expect("with a pass", "/t/"+pass, 404)
	r.decree(readAgain, func(c *config.Config) { c.Watch.TokenKeys = []string{strings.Repeat("ff", 16)} })
	expect("by the token of a key that is gone", playlist+"?token="+token, 403)
	expect("with the pass that it was good for", "/t/"+pass, 404)
	r.decree(readAgain, func(c *config.Config) { c.Watch.Secret = "another secret that signs" })
	expect("with a pass by another secret", "/t/"+pass, 403)
	r.decree(readAgain, func(c *config.Config) { c.Watch.TokenKeys = nil; c.Watch.Deny = []string{"192.0.2.0/24"} })
	expect("from a network that may not", playlist, 403)
	r.decree(readAgain, func(c *config.Config) { c.Watch.Deny = nil })
	expect("all may watch again", playlist, 404)
}

// The webhook that is in force at the end of a publication hears of it.
func TestWebhookIsReplaced(t *testing.T) {
	told := make(chan string, 10)
	hook := func(name string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, action, _ := strings.Cut(string(body), `"action":"`)
			action, _, _ = strings.Cut(action, `"`)
			told <- name + " " + action
		}))
		t.Cleanup(s.Close)
		return s
	}
	first, second := hook("first"), hook("second")
	r := rule(t, func(c *config.Config) { c.Publish.Webhook.URL, c.Publish.Webhook.NotifyDone = first.URL, true })
	dial := func() *client.Publisher {
		t.Helper()
		p, err := client.Dial(t.Context(), "rtmp://"+r.ports.Addr.RTMP.String()+"/live/cam1", nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	expect := func(want string) {
		t.Helper()
		if got := <-told; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	p := dial()
	expect("first publish")
	was := r.rules.publish.Webhook
	r.decree(readAgain, func(c *config.Config) { c.Publish.Deny = []string{"192.0.2.0/24"} })
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	expect("first publish_done")
	p = dial()
	expect("first publish")
	if r.rules.publish.Webhook != was {
		t.Error("one that is the same is another")
	}
	r.decree(readAgain, func(c *config.Config) { c.Publish.Webhook.URL = second.URL })
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	expect("second publish_done")
	p = dial()
	expect("second publish")
	r.decree(readAgain, func(c *config.Config) { c.Publish.Webhook.URL = "" })
	if err := p.Close(); err != nil { // nobody is told
		t.Error(err)
	}
	if err := r.publish(t, "live/cam1"); err != nil {
		t.Error(err)
	}
	if len(told) > 0 {
		t.Errorf("told: %s", <-told)
	}
}

// quiet is a connection that nobody looks at.
type quiet struct{ ingest.Peer }

// Who has logged in publishes on his connection as long as he could log in: an
// encoder says goodbye, and publishes again without a new login.
func TestLoginIsReplaced(t *testing.T) {
	is := func(users map[string]string, keys map[string]string) config.Publish {
		p := config.Default().Publish
		p.From, p.Users, p.Keys = []string{"any"}, users, keys
		return p
	}
	r, err := newRules(is(map[string]string{"anna": "PASSWORD"}, nil), config.Watch{}, config.ABR{})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate.Gate{Catalog: packager.NewCatalog(settings(config.Default().Window), time.Now), Access: r.publishers.Load, Now: time.Now, Log: zerolog.Nop()}
	request := ingest.Request{App: "live", Name: "cam1", Remote: netip.MustParseAddrPort("192.0.2.1:1"), Query: "authmod=adobe&user=anna", Peer: quiet{}}
	_, err = g.Connect(t.Context(), request)
	var asked *ingest.Rejection
	if !errors.As(err, &asked) {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`salt=(\w+)&challenge=(\w+)`).FindStringSubmatch(asked.Description)
	hash := func(s string) string { sum := md5.Sum([]byte(s)); return base64.StdEncoding.EncodeToString(sum[:]) }
	request.Query += fmt.Sprintf("&challenge=x&response=%s&opaque=%s", hash(hash("anna"+m[1]+"PASSWORD")+m[2]+"x"), m[2])
	if request.Login, err = g.Connect(t.Context(), request); err != nil || request.Login == nil {
		t.Fatal(request.Login, err)
	}
	request.Query = ""
	for _, c := range []struct {
		name  string
		rules config.Publish
		key   string
		want  string
	}{
		{"as he logged in", is(map[string]string{"anna": "PASSWORD"}, nil), "cam1", ""},
		{"beside somebody new", is(map[string]string{"anna": "PASSWORD", "bert": "x"}, nil), "cam1", ""},
		{"removed", is(map[string]string{"bert": "PASSWORD"}, nil), "cam1", "no longer good"},
		{"removed, with all users", is(nil, map[string]string{"cam1": access.HashKey("KEY").String()}), "cam1", "no longer good"},
		{"removed, and has a key", is(nil, map[string]string{"cam1": access.HashKey("KEY").String()}), "KEY", ""},
		{"another password", is(map[string]string{"anna": "CHANGED"}, nil), "cam1", "no longer good"},
		{"back again", is(map[string]string{"anna": "PASSWORD"}, nil), "cam1", ""},
	} {
		if err := r.replace(c.rules, config.Watch{}); err != nil {
			t.Fatal(err)
		}
		request.Name = c.key
		_, sink, err := g.Publish(t.Context(), request)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ingest.ErrDenied) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err == nil {
			sink.Close(nil)
		}
	}
}
