package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// ClockSkew is how far the clock of one who makes tokens may be off.
	ClockSkew = 30 * time.Second

	// TokenSize is the length of the longest token, in bytes: more is not carried in
	// a URL.
	TokenSize = 8 << 10
)

// JWT says which tokens count.
type JWT struct {
	Secret   []byte // for HS256; or
	JWKS     string // URL of a key set, for RS256, ES256 and EdDSA
	Issuer   string // empty: any
	Audience string // empty: any
}

// Verifier checks tokens. It may be used by many at once.
type Verifier struct {
	settings JWT
	keys     *keySet // nil with a secret
}

// NewVerifier needs a secret or the URL of a key set.
func NewVerifier(s JWT) *Verifier {
	v := &Verifier{settings: s}
	if s.JWKS != "" {
		v.keys = newKeySet(s.JWKS)
	}
	return v
}

// Verify returns what a token says if it is genuine and valid now. Else the
// error is ErrDenied, or ErrUnknown where the keys could not be had, and says
// why without repeating anything of the token.
func (v *Verifier) Verify(ctx context.Context, token string, now time.Time) (Claims, error) {
	if len(token) > TokenSize {
		return Claims{}, fmt.Errorf("%w: the token is longer than %d KiB", ErrDenied, TokenSize>>10)
	}
	var c wireClaims
	_, err := v.parser(now).ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		// RFC 7515, 4.1.11: what we must understand and don't.
		if _, critical := t.Header["crit"]; critical {
			return nil, errors.New("the token has a crit header")
		}
		if v.keys == nil {
			return v.settings.Secret, nil
		}
		kid, _ := t.Header["kid"].(string)
		return v.keys.find(ctx, t.Method.Alg(), kid, now)
	})
	if err != nil {
		return Claims{}, tokenError(err)
	}
	return c.claims()
}

// parser has the algorithms pinned: a token doesn't choose how it is checked.
func (v *Verifier) parser(now time.Time) *jwt.Parser {
	methods := []string{"HS256"}
	if v.keys != nil {
		methods = []string{"RS256", "ES256", "EdDSA"}
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(methods),
		jwt.WithTimeFunc(func() time.Time { return now }),
		jwt.WithLeeway(ClockSkew),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
	}
	if v.settings.Issuer != "" {
		options = append(options, jwt.WithIssuer(v.settings.Issuer))
	}
	if v.settings.Audience != "" {
		options = append(options, jwt.WithAudience(v.settings.Audience))
	}
	return jwt.NewParser(options...)
}

// tokenError says what was wrong in words that are fit for a log: the
// library's may hold pieces of the token.
func tokenError(err error) error {
	for _, known := range []struct {
		is   error
		text string
	}{
		{jwt.ErrTokenMalformed, "what was given as a token is no JWT"},
		{jwt.ErrTokenExpired, "the token has expired"},
		{jwt.ErrTokenNotValidYet, "the token is not valid yet: compare the clocks"},
		{jwt.ErrTokenRequiredClaimMissing, "the token lacks a claim that it must have: exp, and iss and aud where they are configured"},
		{jwt.ErrTokenInvalidIssuer, "the token has another issuer"},
		{jwt.ErrTokenInvalidAudience, "the token is for another audience"},
		{jwt.ErrTokenSignatureInvalid, "the token's signature is wrong, or its algorithm is not one for our key"},
	} {
		if errors.Is(err, known.is) {
			return fmt.Errorf("%w: %s", ErrDenied, known.text)
		}
	}
	if errors.Is(err, ErrUnknown) {
		return fmt.Errorf("%w: the keys for tokens could not be fetched", ErrUnknown)
	}
	return fmt.Errorf("%w: the token is signed by a key that we don't know", ErrDenied)
}

// wireClaims are the claims that we read: ours, and MediaMTX's.
type wireClaims struct {
	jwt.RegisteredClaims
	Path        string `json:"path"`   // a stream or what is above streams; "*": all
	Action      string `json:"action"` // publish; watch, or read
	Permissions []struct {
		Action string `json:"action"`
		Path   string `json:"path"`
	} `json:"mediamtx_permissions"`
}

func (w wireClaims) claims() (Claims, error) {
	c := Claims{Subject: w.Subject}
	// Whoever names nothing doesn't mean everything.
	if action, ok := parseAction(w.Action); ok {
		if path := strings.Trim(w.Path, "/"); path != "" {
			c.Grants = append(c.Grants, Grant{Action: action, Path: path})
		}
	}
	for _, p := range w.Permissions {
		action, ok := parseAction(p.Action)
		if !ok {
			continue
		}
		if path, ok := exactPath(p.Path); ok {
			c.Grants = append(c.Grants, Grant{Action: action, Path: path, Exact: true})
		}
	}
	if len(c.Grants) == 0 {
		return Claims{}, fmt.Errorf("%w: the token doesn't say for what it is: claims action (publish or watch) and path", ErrDenied)
	}
	return c, nil
}

// exactPath reads a path of mediamtx_permissions: one stream, or, where it is
// left out, all of them. One that begins with ~ is an expression, which we don't
// follow, and one that names nothing, such as "/", doesn't mean everything.
func exactPath(s string) (path string, ok bool) {
	if s == "" {
		return everything, true
	}
	path = strings.Trim(s, "/")
	return path, path != "" && path != everything && !strings.HasPrefix(path, "~")
}

func parseAction(s string) (Action, bool) {
	switch s {
	case "publish":
		return Publish, true
	case "watch", "read":
		return Watch, true
	}
	return "", false
}
