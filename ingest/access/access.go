// Package access decides who may publish, and has what else tells who somebody
// is: tokens and the webhook, which httpserve/access asks, too, who may watch.
//
// It is asked, and answers: it logs nothing and refuses nobody by itself. Time
// is an argument. What it can't find out is a no, told apart from a refusal:
// whoever meets a webhook that is down has done nothing wrong.
package access

import (
	"errors"
	"strings"
)

// Action is what somebody wants to do with a stream.
type Action string

// The actions.
const (
	Publish Action = "publish"
	Watch   Action = "watch"
)

// The two ways to be turned away.
var (
	// ErrDenied is for one who showed nothing that lets him in.
	ErrDenied = errors.New("access denied")
	// ErrUnknown is for one who could not be judged: nobody gets in then, but
	// it is not his fault.
	ErrUnknown = errors.New("access could not be checked")
)

// SplitPath parts APP/NAME. What is in front of the last slash is the app, also
// where it has slashes itself: no stream can be called so, but a webhook can give
// it another name.
func SplitPath(path string) (app, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// Claims is what a token says of the one who shows it. Its expiry is not among
// them: it has been looked at, and bounds no more than the showing. How long
// somebody stays is for his pass to say.
type Claims struct {
	Subject string // who that is; empty when the token doesn't say
	Grants  []Grant
}

// Allows tells whether the claims let their bearer do action on the stream at
// path, APP/NAME.
func (c Claims) Allows(action Action, path string) bool {
	for _, g := range c.Grants {
		if g.Action == action && g.covers(path) {
			return true
		}
	}
	return false
}

// Grant allows one action on one stream, or on all below a path.
type Grant struct {
	Action Action
	Path   string // everything: all streams; empty: none
	Exact  bool   // only the stream of that name, none below it
}

// everything is the path of a grant for all streams. No stream has that name,
// and what is left of a path that was cleaned is never it by accident.
const everything = "*"

func (g Grant) covers(path string) bool {
	switch g.Path {
	case everything, path:
		return true
	case "":
		return false
	}
	return !g.Exact && below(path, g.Path)
}

// below tells whether path is under prefix, on a boundary of components:
// live/a/x is under live/a, live/ab is not.
func below(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && strings.HasPrefix(rest, "/")
}
