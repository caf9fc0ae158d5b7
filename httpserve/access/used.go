package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-live/sluice/ingest/access"
)

const (
	// usedMost bounds the tokens that are remembered; the oldest is forgotten
	// first. One costs about 200 bytes.
	usedMost = 100_000
	// usedTime is how long a token is remembered. Whoever makes tokens that
	// live longer must know himself which of them were used.
	usedTime = 24 * time.Hour
	// usedAgain is how long the one who used a token may use it again: players
	// ask twice for a list, and ask for two of them.
	usedAgain = 10 * time.Second
)

// used remembers the tokens that let somebody in, so that none does twice.
type used struct {
	now func() time.Time

	mu     sync.Mutex
	tokens map[[sha256.Size]byte]*use
	order  [][sha256.Size]byte // of those that let somebody in, oldest first
}

// visit is who uses a token for what.
type visit struct {
	stream string
	from   netip.Addr
}

// use is a token that lets somebody in, or is being asked about.
type use struct {
	by   visit
	done chan struct{} // closed when worth and err are there
	at   time.Time
	worth
	err error
}

func newUsed(now func() time.Time) *used {
	return &used{now: now, tokens: make(map[[sha256.Size]byte]*use)}
}

// once asks about a token, unless that was done. A token that lets nobody in
// may be tried again.
func (u *used) once(ctx context.Context, token string, by visit, ask func(context.Context) (worth, error)) (worth, error) {
	key := sha256.Sum256([]byte(token)) // secrets are not kept
	u.mu.Lock()
	u.forget()
	it, known := u.tokens[key]
	if !known {
		it = &use{by: by, done: make(chan struct{})}
		u.tokens[key] = it
	}
	u.mu.Unlock()
	if !known {
		// The answer is for others, too, who wait for it.
		it.worth, it.err = ask(context.WithoutCancel(ctx))
		u.settle(key, it)
		return it.worth, it.err
	}
	select {
	case <-it.done:
	case <-ctx.Done():
		return worth{}, fmt.Errorf("%w: %w", access.ErrUnknown, ctx.Err())
	}
	switch {
	case it.err != nil:
		return worth{}, it.err
	case it.by != by, u.now().Sub(it.at) > usedAgain:
		return worth{}, fmt.Errorf("%w: the token was used already", access.ErrDenied)
	}
	return it.worth, nil
}

func (u *used) settle(key [sha256.Size]byte, it *use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	it.at = u.now()
	if it.err != nil {
		delete(u.tokens, key)
	} else {
		u.order = append(u.order, key)
	}
	close(it.done)
}

// forget drops what is too old, or too much. It is called under mu.
func (u *used) forget() {
	for len(u.order) > 0 && (len(u.order) >= usedMost || u.now().Sub(u.tokens[u.order[0]].at) > usedTime) {
		delete(u.tokens, u.order[0])
		u.order = u.order[1:]
	}
}
