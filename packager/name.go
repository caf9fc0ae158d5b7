package packager

import (
	"fmt"
	"strings"
)

// StreamName is APP/NAME. It comes from ParseStreamName alone, so it can stand
// in a URL, a playlist and a log line as it is.
type StreamName struct{ app, name string }

const maxNameLength = 128

// ParseStreamName checks the two halves of a stream's name: letters, digits
// and "-", "_", ".", "~" (the unreserved characters of a URL), not beginning
// with a dot or with the "_" that the server keeps for its own paths.
func ParseStreamName(app, name string) (StreamName, error) {
	if err := checkName("app", app); err != nil {
		return StreamName{}, err
	}
	if app[0] == '_' {
		return StreamName{}, fmt.Errorf("app %q: names that begin with _ are the server's own", app)
	}
	if err := checkName("stream key", name); err != nil {
		return StreamName{}, err
	}
	return StreamName{app, name}, nil
}

func checkName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the %s is empty: publish to rtmp://HOST/APP/NAME", what)
	case len(s) > maxNameLength:
		return fmt.Errorf("the %s is longer than %d characters", what, maxNameLength)
	case s[0] == '.':
		return fmt.Errorf("%s %q begins with a dot", what, s)
	case strings.Contains(s, "/"):
		return fmt.Errorf("%s %q has a slash: publish to rtmp://HOST/APP/NAME", what, s)
	}
	for _, r := range s {
		if !strings.ContainsRune("-_.~", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return fmt.Errorf("%s %q: %q is not a letter, a digit or one of - _ . ~", what, s, r)
		}
	}
	return nil
}

func (n StreamName) String() string { return n.app + "/" + n.name }
