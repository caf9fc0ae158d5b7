package access

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	noon   = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	secret = []byte("a secret of thirty-two bytes, yes")
)

// with returns claims that are good at noon, changed by what is given: name,
// value, …; a nil value removes.
func with(change ...any) jwt.MapClaims {
	c := jwt.MapClaims{"exp": noon.Add(time.Minute).Unix(), "sub": "anna", "action": "publish", "path": "live/a"}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == nil {
			delete(c, change[i].(string))
		} else {
			c[change[i].(string)] = change[i+1]
		}
	}
	return c
}

func signed(t *testing.T, m jwt.SigningMethod, kid string, key any, c jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(m, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerify(t *testing.T) {
	v := NewVerifier(JWT{Secret: secret, Issuer: "https://id.example", Audience: "sluice"})
	good := []any{"iss", "https://id.example", "aud", "sluice"}
	for _, c := range []struct {
		name   string
		change []any
		want   string // in the error, or empty
	}{
		{"good", nil, ""},
		{"one of several audiences", []any{"aud", []string{"x", "sluice"}}, ""},
		{"expired within the skew", []any{"exp", noon.Add(-29 * time.Second).Unix()}, ""},
		{"valid within the skew", []any{"nbf", noon.Add(29 * time.Second).Unix()}, ""},
		{"expired", []any{"exp", noon.Add(-31 * time.Second).Unix()}, "has expired"},
		{"not yet valid", []any{"nbf", noon.Add(31 * time.Second).Unix()}, "not valid yet"},
		{"no exp", []any{"exp", nil}, "lacks a claim"},
		{"exp is a string", []any{"exp", "tomorrow"}, "no JWT"},
		{"another issuer", []any{"iss", "https://evil.example"}, "another issuer"},
		{"no issuer", []any{"iss", nil}, "lacks a claim"},
		{"another audience", []any{"aud", "x"}, "another audience"},
		{"no audience", []any{"aud", nil}, "lacks a claim"},
		{"no path", []any{"path", nil}, "for what it is"},
		{"empty path", []any{"path", "/"}, "for what it is"},
		{"no action", []any{"action", nil}, "for what it is"},
		{"unknown action", []any{"action", "api"}, "for what it is"},
		{"no stream in a permission", []any{"action", nil, "mediamtx_permissions", []any{map[string]any{"action": "publish", "path": "/"}}}, "for what it is"},
		{"nothing but slashes in one", []any{"action", nil, "mediamtx_permissions", []any{map[string]any{"action": "publish", "path": "//"}}}, "for what it is"},
		{"a star in one", []any{"action", nil, "mediamtx_permissions", []any{map[string]any{"action": "publish", "path": "*"}}}, "for what it is"},
		{"an expression behind a slash", []any{"action", nil, "mediamtx_permissions", []any{map[string]any{"action": "publish", "path": "/~.*"}}}, "for what it is"},
		{"only an expression", []any{"action", nil, "mediamtx_permissions", []any{map[string]any{"action": "publish", "path": "~.*"}}}, "for what it is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := signed(t, jwt.SigningMethodHS256, "", secret, with(append(good, c.change...)...))
			claims, err := v.Verify(t.Context(), token, noon)
			if c.want == "" {
				if err != nil || claims.Subject != "anna" || !claims.Allows(Publish, "live/a") {
					t.Errorf("%+v, %v", claims, err)
				}
				return
			}
			if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), c.want) || claims.Grants != nil {
				t.Errorf("%+v, %v; want %q", claims, err, c.want)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	permission := func(action, path string) []any {
		return []any{"action", nil, "path", nil, "mediamtx_permissions", []any{map[string]any{"action": action, "path": path}}}
	}
	for _, c := range []struct {
		change     []any
		action     Action
		path       string
		wantToPass bool
	}{
		{nil, Publish, "live/a", true},
		{nil, Publish, "live/ab", false},
		{nil, Publish, "live", false},
		{nil, Watch, "live/a", false},
		{[]any{"path", "live"}, Publish, "live/a", true},
		{[]any{"path", "/live/"}, Publish, "live/a", true},
		{[]any{"path", "live"}, Publish, "lively/a", false},
		{[]any{"path", "*"}, Publish, "any/thing", true},
		{[]any{"action", "watch"}, Watch, "live/a", true},
		{[]any{"action", "read"}, Watch, "live/a", true},
		{permission("publish", "live/a"), Publish, "live/a", true},
		{permission("publish", "live"), Publish, "live/a", false},
		{permission("publish", ""), Publish, "live/a", true},
		{permission("read", "live/a"), Watch, "live/a", true},
		{permission("read", "live/a"), Publish, "live/a", false},
	} {
		v := NewVerifier(JWT{Secret: secret})
		claims, err := v.Verify(t.Context(), signed(t, jwt.SigningMethodHS256, "", secret, with(c.change...)), noon)
		if err != nil {
			t.Errorf("%v: %v", c.change, err)
		} else if got := claims.Allows(c.action, c.path); got != c.wantToPass {
			t.Errorf("%v: %s of %s is allowed: %v", c.change, c.action, c.path, got)
		}
	}
}

// A token doesn't choose how it is checked.
func TestForgedTokens(t *testing.T) {
	key := newRSA(t, 2048)
	set := serveKeys(t, jwk(t, "r", key.Public()))
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	body, _ := json.Marshal(with())
	none := part(`{"alg":"none"}`) + "." + part(string(body)) + "."
	der, _ := json.Marshal(jwk(t, "r", key.Public()).Marshal())
	critical := jwt.NewWithClaims(jwt.SigningMethodHS256, with())
	critical.Header["crit"] = []string{"b64"}
	withCrit, _ := critical.SignedString(secret)
	bySecret, byKeys := NewVerifier(JWT{Secret: secret}), NewVerifier(JWT{JWKS: set.URL})
	t.Cleanup(byKeys.keys.client.CloseIdleConnections)
	for _, c := range []struct {
		name  string
		v     *Verifier
		token string
	}{
		{"none, for a secret", bySecret, none},
		{"none, for keys", byKeys, none},
		{"another secret", bySecret, signed(t, jwt.SigningMethodHS256, "", []byte("x"), with())},
		{"HS512 with the secret", bySecret, signed(t, jwt.SigningMethodHS512, "", secret, with())},
		{"RS256 where a secret is set", bySecret, signed(t, jwt.SigningMethodRS256, "r", key, with())},
		{"HS256 with the public key as secret", byKeys, signed(t, jwt.SigningMethodHS256, "r", der, with())},
		{"PS256 with our key", byKeys, signed(t, jwt.SigningMethodPS256, "r", key, with())},
		{"another key of that name", byKeys, signed(t, jwt.SigningMethodRS256, "r", newRSA(t, 2048), with())},
		{"ES256 that names an RSA key", byKeys, signed(t, jwt.SigningMethodES256, "r", newEC(t), with())},
		{"a critical header", bySecret, withCrit},
		{"cut", bySecret, signed(t, jwt.SigningMethodHS256, "", secret, with())[:60]},
		{"nothing", bySecret, ""},
		{"dots", bySecret, ".."},
		{"long", bySecret, strings.Repeat("a", TokenSize) + ".b.c"},
	} {
		if claims, err := c.v.Verify(t.Context(), c.token, noon); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %+v, %v", c.name, claims, err)
		} else if len(c.token) > 60 && strings.Contains(err.Error(), c.token[30:50]) {
			t.Errorf("%s: the error repeats the token: %v", c.name, err)
		}
	}
}

func TestKeySet(t *testing.T) {
	r, e, o := newRSA(t, 2048), newEC(t), newEd(t)
	weak := newRSA(t, 1024)
	set := serveKeys(t, jwk(t, "r", r.Public()), jwk(t, "e", e.Public()), jwk(t, "o", o.Public()), jwk(t, "weak", weak.Public()))
	set.extra = `{"kty":"new","kid":"n"}, {"kty":"oct","kid":"s","k":"c2VjcmV0"}`
	v := NewVerifier(JWT{JWKS: set.URL})
	t.Cleanup(v.keys.client.CloseIdleConnections)
	for _, c := range []struct {
		name  string
		token string
		good  bool
	}{
		{"RS256", signed(t, jwt.SigningMethodRS256, "r", r, with()), true},
		{"ES256", signed(t, jwt.SigningMethodES256, "e", e, with()), true},
		{"EdDSA", signed(t, jwt.SigningMethodEdDSA, "o", o, with()), true},
		{"no kid", signed(t, jwt.SigningMethodES256, "", e, with()), true},
		{"a weak key", signed(t, jwt.SigningMethodRS256, "weak", weak, with()), false},
		{"the set's secret", signed(t, jwt.SigningMethodHS256, "s", []byte("secret"), with()), false},
	} {
		if _, err := v.Verify(t.Context(), c.token, noon); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := set.asked.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestKeyRotation(t *testing.T) {
	first, second := newEC(t), newEC(t)
	set := serveKeys(t, jwk(t, "1", first.Public()))
	v := NewVerifier(JWT{JWKS: set.URL})
	t.Cleanup(v.keys.client.CloseIdleConnections)
	old := signed(t, jwt.SigningMethodES256, "1", first, with("exp", noon.Add(time.Hour).Unix()))
	young := signed(t, jwt.SigningMethodES256, "2", second, with("exp", noon.Add(time.Hour).Unix()))
	verify := func(after time.Duration, token string, want error, fetches int64) {
		t.Helper()
		if _, err := v.Verify(t.Context(), token, noon.Add(after)); !errors.Is(err, want) {
			t.Errorf("after %v: %v, want %v", after, err, want)
		}
		if n := set.asked.Load(); n != fetches {
			t.Errorf("after %v: %d fetches, want %d", after, n, fetches)
		}
	}
	verify(0, old, nil, 1)
	for range 100 { // an unknown name is looked for once in a while, not each time
		verify(9*time.Second, young, ErrDenied, 1)
	}
	set.keys.Store(&[]jwkset.JWK{jwk(t, "2", second.Public())})
	verify(11*time.Second, young, nil, 2)
	verify(12*time.Second, old, ErrDenied, 2)

	set.status.Store(500)
	verify(20*time.Minute, young, nil, 3) // the old keys serve on
	verify(20*time.Minute+time.Second, old, ErrUnknown, 3)
	set.status.Store(200)
	verify(20*time.Minute+11*time.Second, old, ErrDenied, 4)
}

func TestKeySetFaults(t *testing.T) {
	key := newEC(t)
	for name, answer := range map[string]http.HandlerFunc{
		"redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"huge":      func(w http.ResponseWriter, r *http.Request) { io.Copy(w, io.LimitReader(zeros{}, 1<<20)) },
		"no JSON":   func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") },
		"empty set": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"keys":[]}`) },
		"many keys": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"keys":[%s{}]}`, strings.Repeat("{},", keysMost))
		},
	} {
		server := httptest.NewServer(answer)
		v := NewVerifier(JWT{JWKS: server.URL})
		_, err := v.Verify(t.Context(), signed(t, jwt.SigningMethodES256, "1", key, with()), noon)
		if !errors.Is(err, ErrUnknown) || errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		v.keys.client.CloseIdleConnections()
		server.Close()
	}
}

// One who hangs up while the keys are fetched doesn't keep them from others.
func TestKeySetCaller(t *testing.T) {
	key := newEC(t)
	set := serveKeys(t, jwk(t, "1", key.Public()))
	v := NewVerifier(JWT{JWKS: set.URL})
	t.Cleanup(v.keys.client.CloseIdleConnections)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	token := signed(t, jwt.SigningMethodES256, "1", key, with())
	v.Verify(gone, token, noon)
	if _, err := v.Verify(t.Context(), token, noon.Add(time.Second)); err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// keyServer is an identity provider.
type keyServer struct {
	*httptest.Server
	keys   atomic.Pointer[[]jwkset.JWK]
	extra  string
	status atomic.Int64
	asked  atomic.Int64
}

func serveKeys(t *testing.T, keys ...jwkset.JWK) *keyServer {
	s := &keyServer{}
	s.status.Store(200)
	s.keys.Store(&keys)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		w.WriteHeader(int(s.status.Load()))
		var list []string
		for _, k := range *s.keys.Load() {
			b, _ := json.Marshal(k.Marshal())
			list = append(list, string(b))
		}
		if s.extra != "" {
			list = append(list, s.extra)
		}
		fmt.Fprintf(w, `{"keys":[%s]}`, strings.Join(list, ","))
	}))
	t.Cleanup(s.Close)
	return s
}

func jwk(t *testing.T, kid string, key crypto.PublicKey) jwkset.JWK {
	t.Helper()
	k, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newEC(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newEd(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
