package access

import (
	"errors"
	"strings"
	"testing"
)

// Whatever an encoder connects with, nobody is logged in who has not answered a
// challenge, and what it is told can be read by those that cut it up.
func FuzzLogin(f *testing.F) {
	for _, q := range []string{"", "authmod=adobe&user=anna", "a=b?authmod=adobe&user=anna&challenge=x&response=y&opaque=z",
		"authmod=adobe&user=a b&x", "authmod=adobe&&&user=%00", "xauthmod=adobe", "user=anna&pass=x"} {
		f.Add(q)
	}
	p, _ := judge(Settings{Users: Users{"anna": "pw"}, Login: LoginAuto, Trusted: anywhere})
	f.Fuzz(func(t *testing.T, query string) {
		user, err := p.Login(stranger, query)
		if user != (User{}) {
			t.Fatalf("%q is logged in as %q", query, user.Name())
		}
		var r *LoginReply
		if err == nil {
			return // it is asked again when it publishes
		}
		if !errors.As(err, &r) {
			t.Fatal(err)
		}
		if len(r.Description) >= 256 || strings.ContainsFunc(r.Description, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%q is told %q", query, r.Description)
		}
	})
}

// Nothing is a good token that isn't signed.
func FuzzJWT(f *testing.F) {
	for _, s := range []string{"", "..", "a.b.c", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"} {
		f.Add(s)
	}
	v := NewVerifier(JWT{Secret: secret})
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := v.Verify(t.Context(), token, noon); !errors.Is(err, ErrDenied) {
			t.Fatalf("%q: %+v, %v", token, c, err)
		}
	})
}
