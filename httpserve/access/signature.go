package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-live/sluice/ingest/access"
)

// A Key signs tokens. Whoever has it lets anybody in.
type Key []byte

// keyLeast is the shortest key: 128 bits can't be tried out.
const keyLeast = 16

// ParseKey reads a key as it is written down: in hex.
func ParseKey(text string) (Key, error) {
	k, err := hex.DecodeString(text)
	if err != nil || len(k) < keyLeast {
		return nil, fmt.Errorf("a key is at least %d hex digits: `openssl rand -hex 32` makes one", 2*keyLeast)
	}
	return k, nil
}

// Signed is a token in the format of Akamai's token authentication 2.0:
//
//	ip=192.0.2.7~st=1790000000~exp=1790003600~acl=/live/*!/vod/a~data=anna~hmac=HEX
//
// Fields but exp, acl and hmac can be left out; id is taken for data.
type Signed struct {
	ACL     []string   // paths that it is good for: * is any characters, ? is one
	Starts  time.Time  // zero: at once
	Expires time.Time  // the first moment when it isn't good any more
	Address netip.Addr // zero: from anywhere
	Viewer  string
}

// fieldBreaks can't stand in a field of a token.
const fieldBreaks = "~!"

// Sign returns the token. Of its text fields no more is checked than that the
// token can be read again.
func (s Signed) Sign(k Key) (string, error) {
	var b strings.Builder
	field := func(name, value string) { b.WriteString(name + "=" + value + "~") }
	if s.Address.IsValid() {
		field("ip", s.Address.String())
	}
	if !s.Starts.IsZero() {
		field("st", strconv.FormatInt(s.Starts.Unix(), 10))
	}
	field("exp", strconv.FormatInt(s.Expires.Unix(), 10))
	for _, path := range s.ACL {
		if strings.ContainsAny(path, fieldBreaks) || !strings.HasPrefix(path, "/") {
			return "", fmt.Errorf("%q is not a path such as /live/cam1/*", path)
		}
	}
	if len(s.ACL) == 0 {
		return "", fmt.Errorf("a token without a path opens nothing")
	}
	field("acl", strings.Join(s.ACL, "!"))
	if s.Viewer != "" {
		if err := checkViewer(s.Viewer); err != nil || strings.ContainsAny(s.Viewer, fieldBreaks) {
			return "", fmt.Errorf("viewer %q: at most %d bytes that can be printed, and none of %s", s.Viewer, maxViewer, fieldBreaks)
		}
		field("data", s.Viewer)
	}
	text := strings.TrimSuffix(b.String(), "~")
	return text + "~hmac=" + hex.EncodeToString(k.sum(text)), nil
}

func (k Key) sum(text string) []byte {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(text))
	return h.Sum(nil)
}

const hmacField = "~hmac="

// isSigned tells a token of this format from others.
func isSigned(token string) bool { return strings.Contains(token, hmacField) }

// parseSigned returns what a token says that one of keys has signed. Whether
// its time and place are right is another question.
func parseSigned(token string, keys []Key) (Signed, error) {
	text, tag, _ := strings.Cut(token, hmacField)
	given, err := hex.DecodeString(tag)
	if err != nil {
		return Signed{}, fmt.Errorf("%w: the token's hmac is not hex", access.ErrDenied)
	}
	good := false
	for _, k := range keys {
		good = hmac.Equal(k.sum(text), given) || good
	}
	if !good {
		return Signed{}, fmt.Errorf("%w: the token's hmac is not by one of our keys", access.ErrDenied)
	}
	return parseFields(text)
}

// parseFields reads what was signed: by mistake it may still be anything.
func parseFields(text string) (s Signed, err error) {
	seen := make(map[string]bool)
	var id string
	for f := range strings.SplitSeq(text, "~") {
		name, value, ok := strings.Cut(f, "=")
		if !ok || seen[name] {
			return s, fmt.Errorf("%w: the token has a field twice, or one without a value", access.ErrDenied)
		}
		seen[name] = true
		switch name {
		case "ip":
			s.Address, err = netip.ParseAddr(value)
		case "st":
			s.Starts, err = parseUnix(value)
		case "exp":
			s.Expires, err = parseUnix(value)
		case "acl":
			s.ACL = strings.Split(value, "!")
		case "data":
			s.Viewer, err = value, checkViewer(value)
		case "id":
			id, err = value, checkViewer(value)
		default:
			// It may say that less is allowed than we would think.
			return s, fmt.Errorf("%w: the token has a field that is not ip, st, exp, acl, id or data", access.ErrDenied)
		}
		if err != nil {
			return s, fmt.Errorf("%w: the token's %s can't be used", access.ErrDenied, name)
		}
	}
	if !seen["exp"] || !seen["acl"] {
		return s, fmt.Errorf("%w: the token lacks exp or acl", access.ErrDenied)
	}
	if s.Viewer == "" {
		s.Viewer = id
	}
	return s, nil
}

func parseUnix(text string) (time.Time, error) {
	n, err := strconv.ParseUint(text, 10, 40)
	return time.Unix(int64(n), 0), err
}

// allows tells whether one of the paths is that of the stream, of its folder,
// or of the page or list in it that was asked for.
func (s Signed) allows(stream, url string) bool {
	for _, pattern := range s.ACL {
		if match(pattern, url) || match(pattern, "/"+stream) || match(pattern, "/"+stream+"/") {
			return true
		}
	}
	return false
}

// match compares with * for any characters and ? for one, in the time of one
// length times the other.
func match(pattern, text string) bool {
	star, again := -1, 0 // where to go on when it doesn't fit
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, again = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			again++
			p, t = star+1, again
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
