package config

import (
	"encoding/base64"
	"slices"
	"strings"
)

const maxHooks = 8 // each may have a few thousand events in memory

// HookEvents are what web services can be told of.
var HookEvents = []string{"published", "unpublished", "ready", "lost", "back", "ended", "health", "switched", "refused", "relay", "reloaded", "drain"}

func (fs *faults) hooks(h Hooks) {
	if n := len(h.URLs); n > maxHooks {
		fs.add("hooks.urls", "has %d; at most %d are told", n, maxHooks)
	}
	for i, u := range h.URLs {
		_, why := parseURL(u, "http", "https")
		switch before := slices.Index(h.URLs[:i], u); {
		case u == "":
			fs.add("hooks.urls", "URL %d is empty", i+1)
		case before >= 0:
			fs.add("hooks.urls", "URL %d is the same as URL %d", i+1, before+1)
		case why != "":
			fs.add("hooks.urls", "URL %d is not one such as https://example.com/path: %s", i+1, why)
		}
	}
	if n := len(h.Secrets); n > 2 {
		fs.add("hooks.secrets", "has %d; two are enough to change from one to the other", n)
	}
	for i, s := range h.Secrets {
		// The secret itself is not for the log.
		text, ok := strings.CutPrefix(s, "whsec_")
		if key, err := base64.StdEncoding.DecodeString(text); !ok || err != nil || len(key) < 24 || len(key) > 64 {
			fs.add("hooks.secrets", "secret %d is not whsec_ and 24 to 64 bytes in base64: `echo whsec_$(openssl rand -base64 32)` makes one", i+1)
		}
	}
	for _, e := range h.Events {
		fs.oneOf("hooks.events", e)
	}
}
