package access

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	challengeLife = 60 * time.Second
	challengeMost = 4096 // unanswered ones; the oldest make way
)

// LoginReply is the answer to a connect command by which an encoder is to
// learn what to do next. Its text is read by programs, to the letter.
type LoginReply struct {
	Description string
	// Cause is nil for a step of the dialogue that goes as it should.
	Cause error
}

func (r *LoginReply) Error() string { return r.Description }
func (r *LoginReply) Unwrap() error { return r.Cause }

// The dialogue of an encoder that has a user and a password: three connections,
// told to go on by how each one is refused.
//
//	connect APP                           ◀ code=403 need auth; authmod=adobe
//	connect APP?authmod=adobe&user=U      ◀ ?reason=needauth&user=U&salt=S&challenge=C&opaque=O
//	connect APP?authmod=adobe&user=U&challenge=X&response=R&opaque=O
//	                                      ◀ success, or ?reason=authfailed
//
// R is base64(md5(base64(md5(U+S+password)) + O + X)): X is the encoder's own.
const (
	askForLogin = "code=403 need auth; authmod=adobe"
	rejected    = "[ AccessManager.Reject ] : [ authmod=adobe ] : "
	loginFailed = rejected + "?reason=authfailed"
)

// challenges are those that were given out and not answered. Each is good for
// one answer.
type challenges struct {
	mu    sync.Mutex
	open  map[string]challenge // by opaque
	order []string             // as given out; some are gone
}

type challenge struct {
	user    string
	expires time.Time
}

func (c *challenges) issue(user string, now time.Time) (opaque string) {
	opaque = rand.Text()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[string]challenge)
	}
	for len(c.order) > 0 {
		oldest, there := c.open[c.order[0]]
		if there && now.Before(oldest.expires) && len(c.order) < challengeMost {
			break
		}
		delete(c.open, c.order[0])
		c.order = c.order[1:]
	}
	c.open[opaque] = challenge{user: user, expires: now.Add(challengeLife)}
	c.order = append(c.order, opaque)
	return opaque
}

// redeem tells whether a challenge was given to that user and is still open,
// and closes it.
func (c *challenges) redeem(opaque, user string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	given, ok := c.open[opaque]
	delete(c.open, opaque)
	return ok && given.user == user && now.Before(given.expires)
}

// login goes one step. It returns the user when the answer was right, else a
// *LoginReply.
func (c *challenges) login(users Users, args adobeArgs, now time.Time) (User, error) {
	if !plainWord(args.user) {
		return User{}, &LoginReply{loginFailed, fmt.Errorf("%w: wrong user or password", ErrDenied)}
	}
	salt, hash, known := users.challenge(args.user)
	if args.response == "" {
		opaque := c.issue(args.user, now)
		return User{}, &LoginReply{Description: rejected + "?reason=needauth&user=" + args.user + "&salt=" + salt +
			"&challenge=" + opaque + "&opaque=" + opaque}
	}
	if !c.redeem(args.opaque, args.user, now) {
		return User{}, &LoginReply{loginFailed, fmt.Errorf("%w: an answer to a challenge that is not open", ErrDenied)}
	}
	sum := md5.Sum([]byte(hash + args.opaque + args.challenge))
	if right := Same(args.response, base64.StdEncoding.EncodeToString(sum[:])); !right || !known {
		return User{}, &LoginReply{loginFailed, fmt.Errorf("%w: wrong user or password", ErrDenied)}
	}
	return User{args.user, users[args.user]}, nil
}

// adobeArgs are what an encoder puts behind the app.
type adobeArgs struct{ user, challenge, response, opaque string }

// parseAdobe finds the arguments in a query, in which they come last. Their
// values are not escaped: a plus sign is one.
func parseAdobe(query string) (args adobeArgs, ok bool) {
	i := strings.LastIndex(query, "authmod=adobe")
	if i < 0 || i > 0 && !strings.ContainsRune("&?", rune(query[i-1])) {
		return adobeArgs{}, false
	}
	for field := range strings.SplitSeq(query[i:], "&") {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "user":
			args.user = value
		case "challenge":
			args.challenge = value
		case "response":
			args.response = value
		case "opaque":
			args.opaque = value
		}
	}
	return args, true
}
