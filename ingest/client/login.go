package client

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"strings"
)

// loginSteps is how often a server may refuse a connection to go on with Adobe's dialogue:
//
//	connect APP                           ◀ code=403 need auth; authmod=adobe
//	connect APP?authmod=adobe&user=U      ◀ ?reason=needauth&user=U&salt=S&challenge=C&opaque=O
//	connect APP?authmod=adobe&user=U&challenge=X&response=R&opaque=O
const loginSteps = 2

// login is the query of the app by which to connect next, for the description of a
// refusal; false where that doesn't ask for one.
func (a Address) login(description string) (query string, asked bool) {
	query = "?authmod=adobe&user=" + a.User
	_, args, challenged := strings.Cut(description, "?reason=needauth")
	if !challenged {
		return query, strings.Contains(description, "need auth") && strings.Contains(description, "authmod=adobe")
	}
	var salt, challenge, opaque string
	for field := range strings.SplitSeq(args, "&") {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "salt":
			salt = value
		case "challenge":
			challenge = value
		case "opaque":
			opaque = value
		}
	}
	own := rand.Text()[:8]
	sealed := opaque
	if sealed == "" {
		sealed = challenge
	}
	query += "&challenge=" + own + "&response=" + digest(digest(a.User+salt+a.Password)+sealed+own)
	if opaque != "" {
		query += "&opaque=" + opaque
	}
	return query, true
}

// digest is MD5, as the dialogue has it: it is no secret for long.
func digest(text string) string {
	sum := md5.Sum([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}
