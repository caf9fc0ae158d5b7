package access

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sluice-live/sluice/config/address"
)

var (
	anywhere = address.Networks{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	stranger = netip.MustParseAddr("192.0.2.7")
)

// judge makes Publishers whose time is in now.
func judge(s Settings) (p *Publishers, now *time.Time) {
	t := noon
	s.Now = func() time.Time { return t }
	if s.From == nil {
		s.From = anywhere
	}
	return NewPublishers(s), &t
}

func TestNetworks(t *testing.T) {
	p, _ := judge(Settings{
		From: address.Networks{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/10")},
		Deny: address.Networks{netip.MustParsePrefix("192.0.2.128/25")},
		Keys: Keys{"cam1": HashKey("k")},
	})
	for ip, want := range map[string]string{
		"192.0.2.7": "", "::ffff:192.0.2.7": "", "fe80::1%eth0": "",
		"192.0.2.200": "publish.deny", "::ffff:192.0.2.200": "publish.deny", "198.51.100.1": "publish.from",
	} {
		_, err := p.Admit(t.Context(), Encoder{IP: netip.MustParseAddr(ip), App: "live", Name: "k"})
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), want) || Failed(err)) {
			t.Errorf("%s: %v, want %q", ip, err, want)
		}
	}
}

func TestAdmit(t *testing.T) {
	tokens := NewVerifier(JWT{Secret: secret})
	token := signed(t, jwt.SigningMethodHS256, "", secret, with("path", "live/a"))
	keys := Keys{"cam1": HashKey("KEY1"), "studio/main": HashKey("KEY2")}
	users := Users{"anna": "plain pw", "bert": SaltedPassword("bert", "salted")}
	qualities := Suffixes{"_720p", "_360p"}
	owned := Keys{"cam1": HashKey("KEY1"), "cam1_720p": HashKey("KEY3"), "secure/cam1": HashKey("KEY4")}
	var calls atomic.Int64
	say := func(status int, body string) *Webhook {
		return hook(t, StyleJSON, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
	yes, no, broken := say(200, `{"path":"live/renamed"}`), say(403, ""), say(500, "")
	for _, c := range []struct {
		name  string
		by    Settings
		e     Encoder
		want  string // path and by what, or the error
		is    error
		calls int64
	}{
		{"nothing set", Settings{}, Encoder{Name: "cam"}, "live/cam network", nil, 0},
		{"key", Settings{Keys: keys}, Encoder{Name: "KEY1"}, "live/cam1 key", nil, 0},
		{"key of a stream in another app", Settings{Keys: keys}, Encoder{Name: "KEY2"}, "studio/main key", nil, 0},
		{"key of a name, in another app", Settings{Keys: keys}, Encoder{App: "tv", Name: "KEY1"}, "tv/cam1 key", nil, 0},
		{"key of a name that has one of its own there", Settings{Keys: Keys{"cam1": HashKey("KEY1"), "secure/cam1": HashKey("KEY2")}}, Encoder{App: "secure", Name: "KEY1"},
			"access denied: secure/cam1 has a key of its own in publish.keys, and this one is not it", ErrDenied, 0},
		{"the key of its own", Settings{Keys: Keys{"cam1": HashKey("KEY1"), "secure/cam1": HashKey("KEY2")}}, Encoder{App: "live", Name: "KEY2"}, "secure/cam1 key", nil, 0},
		{"one key for both", Settings{Keys: Keys{"cam1": HashKey("KEY1"), "secure/cam1": HashKey("KEY1")}}, Encoder{App: "secure", Name: "KEY1"}, "secure/cam1 key", nil, 0},
		{"the public name is no key", Settings{Keys: keys}, Encoder{Name: "cam1"}, "access denied: the stream key is not one of publish.keys", ErrDenied, 0},
		{"the hash is no key", Settings{Keys: keys}, Encoder{Name: HashKey("KEY1").String()}, "access denied: the stream key is not one of publish.keys", ErrDenied, 0},
		{"key of a stream, for a quality", Settings{Keys: keys, Suffixes: qualities}, Encoder{Name: "KEY1_720p"}, "live/cam1_720p key", nil, 0},
		{"key of a stream in another app, for a quality", Settings{Keys: keys, Suffixes: qualities}, Encoder{Name: "KEY2_360p"}, "studio/main_360p key", nil, 0},
		{"key of a stream, and no suffix of a quality", Settings{Keys: keys, Suffixes: qualities}, Encoder{Name: "KEY1_480p"}, "access denied: the stream key is not one of publish.keys", ErrDenied, 0},
		{"key of a stream, without qualities", Settings{Keys: keys}, Encoder{Name: "KEY1_720p"}, "access denied: the stream key is not one of publish.keys", ErrDenied, 0},
		{"a suffix is no key", Settings{Keys: keys, Suffixes: qualities}, Encoder{Name: "_720p"}, "access denied: the stream key is not one of publish.keys", ErrDenied, 0},
		{"key of a quality", Settings{Keys: owned, Suffixes: qualities}, Encoder{Name: "KEY3"}, "live/cam1_720p key", nil, 0},
		{"key of a quality, for another", Settings{Keys: owned, Suffixes: qualities}, Encoder{Name: "KEY3_360p"},
			"access denied: the stream key is that of live/cam1_720p, and has another suffix behind it", ErrDenied, 0},
		{"key of a stream, for a quality that has one of its own", Settings{Keys: owned, Suffixes: qualities}, Encoder{Name: "KEY1_720p"},
			"access denied: cam1_720p has a key of its own in publish.keys, and this one is not it", ErrDenied, 0},
		{"key of a quality, in an app whose stream has a key of its own", Settings{Keys: owned, Suffixes: qualities}, Encoder{App: "secure", Name: "KEY3"},
			"access denied: secure/cam1 has a key of its own in publish.keys, and this one is not it", ErrDenied, 0},
		{"token of a stream, for a quality", Settings{Tokens: tokens, Suffixes: qualities}, Encoder{Name: "a_720p", Query: "token=" + token},
			"access denied: the token is not for publishing this stream", ErrDenied, 0},
		{"user", Settings{Users: users}, Encoder{Name: "a", Query: "user=anna&pass=plain%20pw"}, "live/a user anna", nil, 0},
		{"user, salted", Settings{Users: users}, Encoder{Name: "a", Query: "x&user=bert&password=salted"}, "live/a user bert", nil, 0},
		{"user, logged in", Settings{Users: users}, Encoder{Name: "a", User: User{"bert", users["bert"]}}, "live/a user bert", nil, 0},
		{"wrong password", Settings{Users: users}, Encoder{Name: "a", Query: "user=anna&pass=x"}, "access denied: wrong user or password", ErrDenied, 0},
		{"wrong user", Settings{Users: users}, Encoder{Name: "a", Query: "user=eve&pass=x"}, "access denied: wrong user or password", ErrDenied, 0},
		{"another's password", Settings{Users: users}, Encoder{Name: "a", Query: "user=bert&pass=plain pw"}, "access denied: wrong user or password", ErrDenied, 0},
		{"no password", Settings{Users: users}, Encoder{Name: "a", Query: "user=anna"}, "access denied: wrong user or password", ErrDenied, 0},
		{"the hash is no password", Settings{Users: users}, Encoder{Name: "a", Query: "user=bert&pass=" + string(users["bert"])}, "access denied: wrong user or password", ErrDenied, 0},
		{"token", Settings{Tokens: tokens}, Encoder{Name: "a", Query: "token=" + token}, `live/a token of "anna"`, nil, 0},
		{"jwt", Settings{Tokens: tokens}, Encoder{Name: "a", Query: "jwt=" + token}, `live/a token of "anna"`, nil, 0},
		{"token as password", Settings{Tokens: tokens}, Encoder{Name: "a", Query: "user=x&pass=" + token}, `live/a token of "anna"`, nil, 0},
		{"token of another stream", Settings{Tokens: tokens}, Encoder{Name: "ab", Query: "jwt=" + token}, "access denied: the token is not for publishing this stream", ErrDenied, 0},
		{"webhook", Settings{Webhook: yes}, Encoder{Name: "a"}, "live/renamed webhook", nil, 1},
		{"webhook says no", Settings{Webhook: no}, Encoder{Name: "a"}, "access denied: the webhook says no (403)", ErrDenied, 1},
		{"webhook is broken", Settings{Webhook: broken}, Encoder{Name: "a"}, "access could not be checked: the webhook answered 500", ErrUnknown, 1},
		{"one of several", Settings{Keys: keys, Users: users, Webhook: yes}, Encoder{Name: "KEY1"}, "live/cam1 key", nil, 0},
		{"the last of several", Settings{Keys: keys, Users: users, Tokens: tokens, Webhook: yes}, Encoder{Name: "a"}, "live/renamed webhook", nil, 1},
		{"none of several", Settings{Keys: keys, Users: users, Tokens: tokens, Webhook: no}, Encoder{Name: "SECRET", Query: "user=anna&pass=SECRET&token=SECRET"},
			"access denied: the stream key is not one of publish.keys; wrong user or password; what was given as a token is no JWT; the webhook says no (403)", ErrDenied, 1},
		{"passwords while the webhook is down", Settings{Users: users, Webhook: broken}, Encoder{Name: "a", Query: "user=anna&pass=x"},
			"access denied: wrong user or password; the webhook answered 500", ErrDenied, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls.Store(0)
			p, _ := judge(c.by)
			c.e.App, c.e.IP = cmp.Or(c.e.App, "live"), stranger
			a, err := p.Admit(t.Context(), c.e)
			got := a.Path + " " + a.By
			if err != nil {
				got = err.Error()
			}
			if got != c.want || !errors.Is(err, c.is) || Failed(err) != errors.Is(err, ErrDenied) || calls.Load() != c.calls {
				t.Errorf("%q, %v, %d calls; want %q", got, err, calls.Load(), c.want)
			}
		})
	}
}

// answer plays the encoder's part in the challenge.
func answer(user, password, description, mine string) string {
	m := regexp.MustCompile(`^\[ AccessManager\.Reject \] : \[ authmod=adobe \] : \?reason=needauth&user=(\w+)&salt=(\w+)&challenge=(\w+)&opaque=(\w+)$`).FindStringSubmatch(description)
	if m == nil || len(description) >= 256 {
		return "not understood: " + description
	}
	hash := func(s string) string { sum := md5.Sum([]byte(s)); return base64.StdEncoding.EncodeToString(sum[:]) }
	return fmt.Sprintf("authmod=adobe&user=%s&challenge=%s&response=%s&opaque=%s",
		user, mine, hash(hash(user+m[2]+password)+m[4]+mine), m[4])
}

func TestAdobe(t *testing.T) {
	p, now := judge(Settings{Users: Users{"anna": "pw", "bert": SaltedPassword("bert", "geheim")}, Trusted: anywhere})
	refused := func(query string) string {
		t.Helper()
		_, err := p.Login(stranger, query)
		var r *LoginReply
		if !errors.As(err, &r) {
			t.Fatalf("%s: %v", query, err)
		}
		if failed := strings.Contains(r.Description, "authfailed"); failed != errors.Is(err, ErrDenied) || failed != Failed(err) {
			t.Errorf("%s: %v is a failure: %v", query, err, Failed(err))
		}
		return r.Description
	}
	if d := refused(""); d != "code=403 need auth; authmod=adobe" {
		t.Error(d)
	}
	for user, password := range map[string]string{"anna": "pw", "bert": "geheim"} {
		begin := "key=1?authmod=adobe&user=" + user // an app may have a query of its own
		good := answer(user, password, refused(begin), "c+/=")
		if got, err := p.Login(stranger, good); err != nil || got.Name() != user {
			t.Errorf("%s: %q, %v", user, got, err)
		}
		if d := refused(good); !strings.Contains(d, "authfailed") {
			t.Errorf("the answer is good twice: %s", d)
		}
		late := answer(user, password, refused(begin), "x")
		*now = now.Add(challengeLife)
		if d := refused(late); !strings.Contains(d, "authfailed") {
			t.Errorf("a late answer: %s", d)
		}
		wrong := refused(answer(user, "wrong", refused(begin), "x"))
		unknown := refused(answer("eve", "wrong", refused("authmod=adobe&user=eve"), "x"))
		if wrong != unknown || wrong != loginFailed {
			t.Errorf("wrong password: %s, wrong user: %s", wrong, unknown)
		}
		other := strings.Replace(answer(user, password, refused("authmod=adobe&user=eve"), "x"), "user=eve", "user="+user, 1)
		if d := refused(other); !strings.Contains(d, "authfailed") {
			t.Errorf("the answer to somebody else's challenge: %s", d)
		}
	}
	for _, strange := range []string{"authmod=adobe", "authmod=adobe&user=", "authmod=adobe&user=a%20b", "authmod=adobe&user=" + strings.Repeat("a", 65),
		"authmod=adobe&user=anna&response=x", "authmod=adobe&user=anna&response=x&opaque="} {
		if d := refused(strange); !strings.Contains(d, "authfailed") {
			t.Errorf("%s: %s", strange, d)
		}
	}
	// The salt of somebody who isn't there is always the same, as are the others'.
	if a, b := refused("authmod=adobe&user=eve"), refused("authmod=adobe&user=eve"); a[:90] != b[:90] || a == b {
		t.Errorf("%s\n%s", a, b)
	}
	for range 3 * challengeMost {
		refused("authmod=adobe&user=anna")
	}
	if n := len(p.challenges.open); n > challengeMost || len(p.challenges.order) > challengeMost {
		t.Errorf("%d open challenges", n)
	}
}

func TestWhoIsAskedToLogIn(t *testing.T) {
	users, keys := Users{"anna": "pw"}, Keys{"cam1": HashKey("k")}
	for _, c := range []struct {
		by    Settings
		query string
		want  bool
	}{
		{Settings{}, "", false},
		{Settings{Keys: keys}, "", false},
		{Settings{Keys: keys}, "authmod=adobe&user=anna", false},
		{Settings{Users: users, Login: LoginAuto}, "", true},
		{Settings{Users: users, Login: LoginAuto}, "user=anna&pass=pw", false},
		{Settings{Users: users, Keys: keys, Login: LoginAuto}, "", false},
		{Settings{Users: users, Keys: keys, Login: LoginAuto}, "authmod=adobe&user=anna", true},
		{Settings{Users: users, Keys: keys, Login: LoginAlways}, "", true},
		{Settings{Users: users, Login: LoginNever}, "", false},
	} {
		p, _ := judge(c.by)
		if _, err := p.Login(stranger, c.query); (err != nil) != c.want {
			t.Errorf("%+v, %q: %v", c.by, c.query, err)
		}
	}
}

func TestLockout(t *testing.T) {
	p, now := judge(Settings{Keys: Keys{"cam1": HashKey("k")}, Users: Users{"anna": "pw"}, Login: LoginNever,
		Trusted: address.Networks{netip.MustParsePrefix("127.0.0.0/8")}})
	try := func(ip, name string) error {
		_, err := p.Admit(t.Context(), Encoder{IP: netip.MustParseAddr(ip), App: "live", Name: name})
		return err
	}
	for range 5 { // by whatever door
		try("192.0.2.1", "x")
		p.Login(netip.MustParseAddr("192.0.2.1"), "authmod=adobe&user=anna&response=x&opaque=y")
		try("2001:db8::1", "x")
		try("2001:db8::ffff:2", "x")
	}
	for range 20 {
		try("127.0.0.1", "x")
	}
	for ip, out := range map[string]bool{"192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.2": false, "2001:db8::3": true, "2001:db8:0:1::1": false, "127.0.0.1": false} {
		err := try(ip, "k")
		if (err != nil) != out || out && !strings.Contains(err.Error(), "too many failures") {
			t.Errorf("%s: %v", ip, err)
		}
	}
	if _, err := p.Login(netip.MustParseAddr("192.0.2.1"), "authmod=adobe&user=anna"); err == nil || Failed(err) {
		t.Errorf("a login from there: %v", err)
	}
	*now = now.Add(lockoutTime - time.Second)
	if try("192.0.2.1", "k") == nil {
		t.Error("let in too early")
	}
	*now = now.Add(time.Second)
	if err := try("192.0.2.1", "k"); err != nil {
		t.Error(err)
	}
	for range 40 { // one in a minute is somebody's mistake
		try("192.0.2.9", "x")
		*now = now.Add(40 * time.Second)
	}
	if err := try("192.0.2.9", "k"); err != nil {
		t.Error(err)
	}
	for i := range lockoutMost + 100 {
		try(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "x")
	}
	if n := len(p.lockout.seen); n > lockoutMost {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestKeysAndPasswords(t *testing.T) {
	if k := NewKey(); len(k) < 26 || k == NewKey() || strings.Trim(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		t.Errorf("a key: %q", k)
	}
	if h, err := ParseKeyHash(HashKey("k").String()); err != nil || h != HashKey("k") {
		t.Error(err)
	}
	for _, s := range []string{"", "k", HashKey("k").String()[1:], HashKey("k").String() + "00", strings.Repeat("x", 64)} {
		if _, err := ParseKeyHash(s); err == nil {
			t.Errorf("%q is a hash", s)
		}
	}
	for s, good := range map[string]bool{
		"pw": true, string(SaltedPassword("a", "b")): true, "": false, "md5:": false, "md5:x:y": false, "md5:a b:rL0Y20zC+Fzt72VPzMSk2A==": false,
	} {
		if _, err := ParsePassword(s); (err == nil) != good {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Other settings are no amnesty, and no reason to log in again.
func TestPublishersWith(t *testing.T) {
	users := Users{"anna": "pw"}
	p, now := judge(Settings{Keys: Keys{"cam1": HashKey("old")}, Users: users, Login: LoginNever})
	for range lockoutFailures {
		p.Admit(t.Context(), Encoder{IP: stranger, App: "live", Name: "x"})
	}
	friend := netip.MustParseAddr("192.0.2.8")
	_, err := p.Login(friend, "authmod=adobe&user=anna")
	_, opaque, ok := strings.Cut(fmt.Sprint(err), "opaque=")
	if !ok {
		t.Fatal(err)
	}
	q := p.With(Settings{Keys: Keys{"cam1": HashKey("new")}, Users: users, From: anywhere, Now: func() time.Time { return *now }})
	if _, err := q.Admit(t.Context(), Encoder{IP: stranger, App: "live", Name: "new"}); err == nil || !strings.Contains(err.Error(), "too many failures") {
		t.Errorf("one who was locked out: %v", err)
	}
	if _, err := q.Admit(t.Context(), Encoder{IP: friend, App: "live", Name: "new"}); err != nil {
		t.Errorf("by the new key: %v", err)
	}
	if _, err := q.Admit(t.Context(), Encoder{IP: friend, App: "live", Name: "old"}); err == nil {
		t.Error("the old key is good")
	}
	if _, err := p.Admit(t.Context(), Encoder{IP: friend, App: "live", Name: "old"}); err != nil {
		t.Errorf("where it is asked by the old settings: %v", err)
	}
	_, hash, _ := users.challenge("anna")
	sum := md5.Sum([]byte(hash + opaque + "mine"))
	answer := base64.StdEncoding.EncodeToString(sum[:])
	if user, err := q.Login(friend, "authmod=adobe&user=anna&challenge=mine&response="+answer+"&opaque="+opaque); err != nil || user.Name() != "anna" {
		t.Errorf("who was just logging in: %q, %v", user, err)
	}
}
