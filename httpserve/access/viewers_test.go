package access

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	noon           = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	secret         = []byte("a secret of thirty-two bytes, yes")
	oldKey, newKey = Key("0123456789abcdef"), Key("fedcba9876543210")
	here           = netip.MustParseAddr("192.0.2.7")
	elsewhere      = netip.MustParseAddr("192.0.2.8")
)

func settings() Settings {
	return Settings{Keys: []Key{newKey, oldKey}, Secret: []byte("a secret"), Session: time.Hour}
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// bearerJWT is good for a minute from noon on, for watching what is at a path.
func bearerJWT(t *testing.T, path string) string {
	t.Helper()
	claims := jwt.MapClaims{"exp": noon.Add(time.Minute).Unix(), "sub": "anna", "action": "watch", "path": path}
	s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hook is somebody's web service.
func hook(t *testing.T, answer http.HandlerFunc) *access.Webhook {
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return access.NewWebhook(s.URL, access.StyleJSON, nil, at(noon))
}

// request asks for a list of live/cam1.
func request(query string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", "/live/cam1/index.m3u8?"+query, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// status is that of an error, 200 of none.
func status(t testing.TB, err error) int {
	t.Helper()
	if err == nil {
		return 200
	}
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is no Refusal", err)
	}
	return r.HTTPStatus()
}

// The hmac was made by openssl, from what is before it and the key's bytes:
//
//	printf %s TEXT | openssl dgst -sha256 -mac HMAC -macopt hexkey:66656463…
func TestSignedFormat(t *testing.T) {
	s := Signed{
		ACL: []string{"/live/*", "/vod/a"}, Starts: time.Unix(1790000000, 0), Expires: time.Unix(1790003600, 0),
		Address: here, Viewer: "anna",
	}
	token, err := s.Sign(newKey)
	if err != nil {
		t.Fatal(err)
	}
	const want = "ip=192.0.2.7~st=1790000000~exp=1790003600~acl=/live/*!/vod/a~data=anna" +
		"~hmac=44cf4e1de0062dc37a18d8f57921a15237e1d16d23e40d8551c88e76561b48e3"
	if token != want {
		t.Errorf("%s\nwant %s", token, want)
	}
	for _, bad := range []Signed{{}, {ACL: []string{"live"}}, {ACL: []string{"/a!/b"}}, {ACL: []string{"/a~exp=9"}},
		{ACL: []string{"/a"}, Viewer: "x~acl=/*"}, {ACL: []string{"/a"}, Viewer: "a\nb"}, {ACL: []string{"/a"}, Viewer: strings.Repeat("x", 65)}} {
		if token, err := bad.Sign(newKey); err == nil {
			t.Errorf("%+v: signed as %s", bad, token)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		acl  string
		want bool
	}{
		{"/live/cam1", true}, {"/live/cam1/", true}, {"/live/cam1/*", true}, {"/live/*", true}, {"/*", true}, {"*", true},
		{"/live/cam?", true}, {"/live/cam1/index.m3u8", true}, {"/*/cam1/*", true}, {"/live/cam1/i*.m3u8", true},
		{"/live/cam", false}, {"/live/cam/*", false}, {"/live", false}, {"/live/", false}, {"", false},
		{"/live/cam1/index.mpd", false}, {"/live/cam11/*", false}, {"/LIVE/cam1/*", false}, {"/live/cam1/x*", false}, {"live/cam1", false},
	} {
		if got := (Signed{ACL: strings.Split(c.acl, "!")}).allows("live/cam1", "/live/cam1/index.m3u8"); got != c.want {
			t.Errorf("%q: %v", c.acl, got)
		}
	}
	began := time.Now()
	if match(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 2000)) {
		t.Error("a pattern matches without its b")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("a pattern took %v", took)
	}
}

func TestEnter(t *testing.T) {
	now := time.Unix(1790000000, 0)
	v := NewViewers(settings(), at(now))
	sign := func(k Key, change func(*Signed)) string {
		s := Signed{ACL: []string{"/live/cam1/*"}, Expires: now.Add(time.Minute), Viewer: "anna"}
		if change != nil {
			change(&s)
		}
		token, err := s.Sign(k)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	raw := func(text string) string { return text + "~hmac=" + hex.EncodeToString(newKey.sum(text)) }
	good := sign(newKey, nil)
	for _, c := range []struct {
		name  string
		r     *http.Request
		want  int
		named string
	}{
		{"good", request("token=" + good), 200, "anna"},
		{"as hdnts", request("hdnts=" + good), 200, "anna"},
		{"as hdnea", request("hdnea=" + good), 200, "anna"},
		{"as __token__", request("__token__=" + good), 200, "anna"},
		{"as Bearer", request("", "Authorization", "bearer "+good), 200, "anna"},
		{"by the key before", request("token=" + sign(oldKey, nil)), 200, "anna"},
		{"from now on", request("token=" + sign(newKey, func(s *Signed) { s.Starts = now.Add(access.ClockSkew) })), 200, "anna"},
		{"its address", request("token=" + sign(newKey, func(s *Signed) { s.Address = here })), 200, "anna"},
		{"id in place of data", request("token=" + raw("exp=1790000001~acl=/*~id=bert")), 200, "bert"},
		{"nobody in particular", request("token=" + raw("exp=1790000001~acl=/*")), 200, ""},
		{"none", request(""), 401, ""},
		{"empty", request("token="), 401, ""},
		{"two", request("token=" + good + "&token=" + good), 403, ""},
		{"two kinds", request("token="+good, "Authorization", "Bearer "+good), 403, ""},
		{"huge", request("token=" + strings.Repeat("a", access.TokenSize+1)), 403, ""},
		{"nonsense", request("token=abc"), 403, ""},
		{"JWT without a verifier", request("token=a.b.c"), 403, ""},
		{"other key", request("token=" + sign(Key("an attacker's key"), nil)), 403, ""},
		{"expired", request("token=" + sign(newKey, func(s *Signed) { s.Expires = now })), 403, ""},
		{"not yet", request("token=" + sign(newKey, func(s *Signed) { s.Starts = now.Add(access.ClockSkew + time.Second) })), 403, ""},
		{"another address", request("token=" + sign(newKey, func(s *Signed) { s.Address = elsewhere })), 403, ""},
		{"another stream", request("token=" + sign(newKey, func(s *Signed) { s.ACL = []string{"/live/cam/*"} })), 403, ""},
		{"changed", request("token=" + strings.Replace(good, "cam1", "cam2", 1)), 403, ""},
		{"a hmac cut short", request("token=" + good[:len(good)-2]), 403, ""},
		{"no hmac", request("token=exp=1790000001~acl=/*~hmac="), 403, ""},
		{"something behind the hmac", request("token=" + good + "~acl=/*"), 403, ""},
		{"no exp", request("token=" + raw("acl=/*")), 403, ""},
		{"no acl", request("token=" + raw("exp=1790000001")), 403, ""},
		{"a field twice", request("token=" + raw("exp=1790000001~acl=/a~acl=/*")), 403, ""},
		{"an unknown field", request("token=" + raw("exp=1790000001~acl=/*~max=1")), 403, ""},
		{"a negative exp", request("token=" + raw("exp=-1~acl=/*")), 403, ""},
	} {
		p, err := v.Enter(c.r, "live/cam1", here)
		if got := status(t, err); got != c.want {
			t.Errorf("%s: %d, want %d (%v)", c.name, got, c.want, err)
			continue
		}
		if err != nil {
			if p != "" || strings.Contains(err.Error(), "exp=") {
				t.Errorf("%s: a pass, or the token, in the refusal: %q %v", c.name, p, err)
			}
			continue
		}
		if who, err := v.Check(p, "live/cam1", elsewhere); who != c.named || err != nil {
			t.Errorf("%s: the pass is %q's: %v", c.name, who, err)
		}
	}
}

func TestPass(t *testing.T) {
	now := time.Unix(1790000000, 0)
	s := settings()
	v := NewViewers(s, func() time.Time { return now })
	p := v.passes.issue("live/cam1", pass{expires: now.Add(time.Hour), viewer: "anna"})
	check := func(name, text, stream string, from netip.Addr, want int) {
		t.Helper()
		_, err := v.Check(text, stream, from)
		if got := status(t, err); got != want {
			t.Errorf("%s: %d, want %d (%v)", name, got, want, err)
		}
	}
	check("its stream", p, "live/cam1", here, 200)
	check("another", p, "live/cam2", here, 403)
	check("a longer name", p, "live/cam11", here, 403)
	check("a shorter name", p, "live/cam", here, 403)
	check("empty", "", "live/cam1", here, 403)
	for i := range p {
		check("cut", p[:i], "live/cam1", here, 403)
		for _, other := range []byte("A-_/+=\n") {
			if changed := p[:i] + string(other) + p[i+1:]; changed != p {
				check("changed", changed, "live/cam1", here, 403)
			}
		}
		check("a line break", p[:i]+"\n"+p[i:], "live/cam1", here, 403)
	}
	check("padded", p+"=", "live/cam1", here, 403)
	check("longer", p+"A", "live/cam1", here, 403)
	check("long", p+strings.Repeat("A", 1000), "live/cam1", here, 403)

	other := s
	other.Secret = []byte("another secret")
	if _, err := NewViewers(other, at(now)).Check(p, "live/cam1", here); err == nil {
		t.Error("another server's pass is good")
	}
	if who, err := NewViewers(s, at(now)).Check(p, "live/cam1", here); who != "anna" || err != nil {
		t.Errorf("after a restart: %q %v", who, err)
	}
	now = now.Add(time.Hour)
	check("expired", p, "live/cam1", here, 403)
}

func TestPassBound(t *testing.T) {
	now := time.Unix(1790000000, 0)
	s := settings()
	s.BindToIP = true
	v := NewViewers(s, at(now))
	token, err := Signed{ACL: []string{"/*"}, Expires: now.Add(time.Minute)}.Sign(newKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		entered, asks string
		want          int
	}{
		{"192.0.2.7", "192.0.2.7", 200},
		{"192.0.2.7", "::ffff:192.0.2.7", 200},
		{"::ffff:192.0.2.7", "192.0.2.7", 200},
		{"192.0.2.7", "192.0.2.8", 403},
		{"192.0.2.7", "2001:db8::1", 403},
		{"2001:db8::1", "2001:db8::ffff:1", 200},
		{"2001:db8::1", "2001:db8:0:1::1", 403},
	} {
		p, err := v.Enter(request("token="+token), "live/cam1", netip.MustParseAddr(c.entered))
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Check(p, "live/cam1", netip.MustParseAddr(c.asks))
		if got := status(t, err); got != c.want {
			t.Errorf("entered at %s, asks at %s: %d", c.entered, c.asks, got)
		}
	}
}

func TestPlace(t *testing.T) {
	s := settings()
	s.From = address.Networks{netip.MustParsePrefix("192.0.2.0/24")}
	s.Deny = address.Networks{netip.MustParsePrefix("192.0.2.8/32")}
	s.Referers = []string{"example.com", "*.example.org"}
	v := NewViewers(s, time.Now)
	s.NeedReferer = true
	strict := NewViewers(s, time.Now)
	for _, c := range []struct {
		from         netip.Addr
		header       []string
		want, strict int
	}{
		{here, nil, 200, 403},
		{netip.MustParseAddr("::ffff:192.0.2.7"), nil, 200, 403},
		{elsewhere, nil, 403, 403},
		{netip.MustParseAddr("198.51.100.1"), nil, 403, 403},
		{netip.Addr{}, nil, 403, 403},
		{here, []string{"Referer", "https://example.com/x"}, 200, 200},
		{here, []string{"Referer", "https://EXAMPLE.com:8443/x"}, 200, 200},
		{here, []string{"Referer", "https://www.example.org/"}, 200, 200},
		{here, []string{"Referer", "https://example.org/"}, 403, 403},
		{here, []string{"Referer", "https://badexample.org/"}, 403, 403},
		{here, []string{"Referer", "https://sub.example.com/"}, 403, 403},
		{here, []string{"Referer", "https://example.com.evil.example/"}, 403, 403},
		{here, []string{"Referer", "https://example.com@evil.example/"}, 403, 403},
		{here, []string{"Referer", "https://evil.example/?https://example.com"}, 403, 403},
		{here, []string{"Referer", "::"}, 403, 403},
		{here, []string{"Origin", "https://evil.example", "Referer", "https://example.com/"}, 403, 403},
		{here, []string{"Origin", "null"}, 403, 403},
		{here, []string{"Referer", "http://sluice.example:8080/live/cam1/"}, 403, 403}, // see TestOwnPage
	} {
		r := request("", c.header...)
		r.Host = "sluice.example:8080"
		if got := status(t, v.Place(r, c.from)); got != c.want {
			t.Errorf("%v %q: %d", c.from, c.header, got)
		}
		if got := status(t, strict.Place(r, c.from)); got != c.strict {
			t.Errorf("strict: %v %q: %d", c.from, c.header, got)
		}
	}
}

// Our own page is ours by an address, or by a name that a certificate stands for.
// A Host header alone says nothing: whose page it is, that host is.
func TestOwnPage(t *testing.T) {
	s := settings()
	s.Referers, s.NeedReferer = []string{"example.com"}, true
	v := NewViewers(s, time.Now)
	for _, c := range []struct {
		host, page string
		secure     bool
		want       int
	}{
		{"192.0.2.1:8080", "http://192.0.2.1:8080/live/cam1/", false, 200},
		{"[2001:db8::1]:8080", "http://[2001:db8::1]:8080/live/cam1/", false, 200},
		{"[2001:db8::1]", "http://[2001:DB8::1]/live/cam1/", false, 200},
		{"localhost:8080", "http://localhost:8080/live/cam1/", false, 200},
		{"sluice.example", "https://sluice.example/live/cam1/", true, 200},
		{"sluice.example:8443", "https://SLUICE.example:8443/live/cam1/", true, 200},
		{"example.com", "http://example.com/live/cam1/", false, 200},
		{"evil.example", "http://evil.example/", false, 403}, // a name that leads to us
		{"evil.example:8080", "http://evil.example:8080/live/cam1/", false, 403},
		{"EVIL.example", "http://evil.example/", false, 403},
		{"192.0.2.1.evil.example", "http://192.0.2.1.evil.example/", false, 403},
		{"localhost.evil.example", "http://localhost.evil.example/", false, 403},
		{"sluice.example", "https://evil.example/", true, 403},
		{"192.0.2.1", "http://192.0.2.2/", false, 403},
		{"", "http:///", false, 403},
		{"", "http://evil.example/", false, 403},
	} {
		for _, header := range []string{"Referer", "Origin"} {
			r := request("", header, c.page)
			if r.Host = c.host; c.secure {
				r.TLS = &tls.ConnectionState{}
			}
			if err := v.Place(r, here); status(t, err) != c.want {
				t.Errorf("%s, TLS %v, %s %s: %v", c.host, c.secure, header, c.page, err)
			}
		}
	}
}

func TestTrusts(t *testing.T) {
	s := settings()
	if NewViewers(s, time.Now).Trusts(request("", CDNHeader, "")) {
		t.Error("without a secret, a header without one is trusted")
	}
	s.CDNSecret = "a secret of the cache's"
	v := NewViewers(s, time.Now)
	for _, c := range []struct {
		header []string
		want   bool
	}{
		{nil, false},
		{[]string{CDNHeader, s.CDNSecret}, true},
		{[]string{"Authorization", "Bearer " + s.CDNSecret}, true},
		{[]string{"Authorization", "Basic " + s.CDNSecret}, false},
		{[]string{CDNHeader, s.CDNSecret + "x"}, false},
		{[]string{CDNHeader, ""}, false},
	} {
		if got := v.Trusts(request("", c.header...)); got != c.want {
			t.Errorf("%q: %v", c.header, got)
		}
	}
}

// A JWT lets in by what it says of the stream.
func TestEnterByJWT(t *testing.T) {
	s := settings()
	s.Keys, s.Tokens = nil, access.NewVerifier(access.JWT{Secret: secret})
	v := NewViewers(s, at(noon))
	for _, c := range []struct {
		path string
		want int
	}{{"live/cam1", 200}, {"live", 200}, {"live/cam", 403}, {"liv", 403}} {
		token := bearerJWT(t, c.path)
		p, err := v.Enter(request("jwt="+token), "live/cam1", here)
		if got := status(t, err); got != c.want {
			t.Errorf("%s: %d %v", c.path, got, err)
		}
		if c.want != 200 {
			continue
		}
		if who, err := v.Check(p, "live/cam1", here); who != "anna" || err != nil {
			t.Errorf("%s: %q %v", c.path, who, err)
		}
	}
}

// What a token says of its end bounds entering, of whatever kind it is; how long
// somebody stays is for the pass.
func TestTokenEndsBeforePass(t *testing.T) {
	now := noon
	s := settings()
	s.Tokens = access.NewVerifier(access.JWT{Secret: secret})
	v := NewViewers(s, func() time.Time { return now })
	bySignature, err := Signed{ACL: []string{"/live/*"}, Expires: noon.Add(time.Minute)}.Sign(newKey)
	if err != nil {
		t.Fatal(err)
	}
	for kind, token := range map[string]string{
		"signed": bySignature,
		"JWT":    bearerJWT(t, "live"), // for a minute, too
	} {
		now = noon
		p, err := v.Enter(request("token="+token), "live/cam1", here)
		if err != nil {
			t.Fatal(err)
		}
		now = noon.Add(s.Session - time.Second)
		if _, err := v.Check(p, "live/cam1", here); err != nil {
			t.Errorf("%s: who is in: %v", kind, err)
		}
		if _, err := v.Enter(request("token="+token), "live/cam1", here); status(t, err) != 403 {
			t.Errorf("%s: lets in behind its end: %v", kind, err)
		}
		now = noon.Add(s.Session)
		if _, err := v.Check(p, "live/cam1", here); status(t, err) != 403 {
			t.Errorf("%s: the pass behind its own: %v", kind, err)
		}
	}
}

// A token that the webhook judges lets in once, whoever comes at the same time.
func TestOneTimeToken(t *testing.T) {
	var asked atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"id":"anna","session":60}`))
	}))
	defer hook.Close()
	now := time.Unix(1790000000, 0)
	s := settings()
	s.Webhook = access.NewWebhook(hook.URL, access.StyleJSON, nil, at(now))
	v := NewViewers(s, func() time.Time { return now })

	var all sync.WaitGroup
	for range 10 { // a page loads both lists
		all.Go(func() {
			p, err := v.Enter(request("token=once"), "live/cam1", here)
			if err != nil {
				t.Error(err)
				return
			}
			if who, err := v.Check(p, "live/cam1", here); who != "anna" || err != nil {
				t.Errorf("%q %v", who, err)
			}
		})
	}
	all.Wait()
	refused := func(name, stream string, from netip.Addr) {
		t.Helper()
		if _, err := v.Enter(request("token=once"), stream, from); status(t, err) != 403 {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("at another address", "live/cam1", elsewhere)
	refused("for another stream", "live/cam2", here)
	v = v.With(s)
	refused("behind other settings", "live/cam1", elsewhere)
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	p, _ := v.Enter(request("token=once"), "live/cam1", here)
	now = now.Add(usedAgain + time.Second)
	refused("later", "live/cam1", here)
	if _, err := v.Check(p, "live/cam1", here); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Minute)
	if _, err := v.Check(p, "live/cam1", here); status(t, err) != 403 {
		t.Error("the session is longer than the webhook said")
	}
}

// A yes is for what was asked: a webhook that names another stream has not said
// it of this one.
func TestWebhookNamesAnotherStream(t *testing.T) {
	for path, want := range map[string]int{"": 200, "live/cam1": 200, "/live/cam1/": 200, "live/cam2": 403, "cam1": 403} {
		s := settings()
		s.Webhook = hook(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(map[string]string{"path": path})
		})
		if _, err := NewViewers(s, at(noon)).Enter(request("token=abc"), "live/cam1", here); status(t, err) != want {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// Two spellings of a token are one, or none: whatever the webhook does to the
// text that it gets, nobody is let in twice by it.
func TestOneTimeTokenSpellings(t *testing.T) {
	asked := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q map[string]string
		json.NewDecoder(r.Body).Decode(&q)
		asked <- q["token"]
	}))
	defer hook.Close()
	for _, first := range []string{"abc", "abc%20", "%61bc", "%0aabc"} {
		s := settings()
		s.Webhook = access.NewWebhook(hook.URL, access.StyleJSON, nil, at(noon))
		v := NewViewers(s, at(noon))
		if _, err := v.Enter(request("token="+first), "live/cam1", here); err != nil {
			t.Errorf("%s: %v", first, err)
		}
		for _, again := range []string{"abc", "abc%20", "abc+", "+abc", "%20abc%09", "abc%00", "abc%0a", "%61%62%63", "abc%c2%a0", "abc%e2%80%8b", "a%C2%ADbc", "%ef%bb%bfabc", "abc%ff", "abc%fe"} {
			for _, r := range []*http.Request{request("token=" + again), request("__token__=" + again), request("jwt=" + again)} {
				if _, err := v.Enter(r, "live/cam1", elsewhere); status(t, err) != 403 {
					t.Errorf("%s, behind %s: %v", again, first, err)
				}
			}
		}
		for _, again := range []string{"abc", " abc", "abc \t", "abc\u00a0"} {
			if _, err := v.Enter(request("", "Authorization", "Bearer "+again), "live/cam1", elsewhere); status(t, err) != 403 {
				t.Errorf("%q as Bearer, behind %s: %v", again, first, err)
			}
		}
		if n := len(asked); n != 1 || <-asked != "abc" {
			t.Errorf("%s: asked %d times", first, n)
		}
	}
}

func TestUsedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsed(time.Now)
		yes := func(context.Context) (worth, error) { return worth{}, nil }
		no := func(context.Context) (worth, error) { return worth{}, access.ErrDenied }
		token := func(i int) string { return time.Duration(i).String() }
		for i := range 1000 {
			u.once(t.Context(), token(i), visit{}, no)
		}
		if len(u.tokens) > 0 {
			t.Errorf("%d tokens are kept that let nobody in", len(u.tokens))
		}
		for i := range usedMost + 1000 {
			u.once(t.Context(), token(i), visit{}, yes)
		}
		if len(u.tokens) > usedMost || len(u.order) > usedMost {
			t.Errorf("%d tokens", len(u.tokens))
		}
		time.Sleep(usedTime + time.Second)
		u.once(t.Context(), "x", visit{}, yes)
		if len(u.tokens) != 1 || len(u.order) != 1 {
			t.Errorf("%d tokens a day later", len(u.tokens))
		}
	})
}

// One who can't wait leaves the others waiting.
func TestUsedWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsed(time.Now)
		go u.once(t.Context(), "x", visit{}, func(context.Context) (worth, error) {
			time.Sleep(5 * time.Second)
			return worth{viewer: "anna"}, nil
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := u.once(ctx, "x", visit{}, nil); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("%v", err)
		}
		if e, err := u.once(t.Context(), "x", visit{}, nil); e.viewer != "anna" || err != nil {
			t.Errorf("%v %v", e, err)
		}
	})
}

// Nothing lets in but what we signed.
func FuzzToken(f *testing.F) {
	now := time.Unix(1790000000, 0)
	v := NewViewers(settings(), at(now))
	good, err := Signed{ACL: []string{"/live/*"}, Expires: now.Add(time.Hour), Viewer: "anna"}.Sign(newKey)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, good + "~", strings.ToUpper(good), "~hmac=", "exp=1~acl=/*~hmac=00", "a.b.c", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		r := request("")
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := v.Enter(r, "live/cam1", here)
		// Hex may be written in both cases.
		text, tag, _ := strings.Cut(strings.TrimSpace(token), hmacField)
		if err == nil && text+hmacField+strings.ToLower(tag) != good {
			t.Fatalf("%q lets in", token)
		}
		// And what was signed by mistake harms nobody.
		parseFields(token)
	})
}

// Nothing opens a stream but what we issued for it.
func FuzzPass(f *testing.F) {
	now := time.Unix(1790000000, 0)
	v := NewViewers(settings(), at(now))
	good := v.passes.issue("live/cam1", pass{expires: now.Add(time.Hour), viewer: "anna", from: address.Home(here)})
	for _, seed := range []string{good, good[1:], good + "A", "AQ", ""} {
		f.Add(seed, "live/cam1")
	}
	f.Add(good, "live/cam2")
	f.Fuzz(func(t *testing.T, text, stream string) {
		if _, err := v.Check(text, stream, here); err == nil && (text != good || stream != "live/cam1") {
			t.Fatalf("%q opens %q", text, stream)
		}
		// What is signed is ours, but its reader need not rely on it.
		if b := []byte(text); len(b) >= passLeast-passMAC {
			parsePass(b)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	now := time.Unix(1790000000, 0)
	v := NewViewers(settings(), at(now))
	p := v.passes.issue("live/cam1", pass{expires: now.Add(time.Hour), viewer: "anna"})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Check(p, "live/cam1", here); err != nil {
				b.Fatal(err)
			}
		}
	})
}
