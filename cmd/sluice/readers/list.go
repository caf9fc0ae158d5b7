package readers

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/packager"
)

// reader is one who plays, or waits for a stream to play.
type reader struct {
	stream packager.StreamName
	shown  admin.Reader
	bytes  atomic.Uint64
	skips  atomic.Int64
	peer   ingest.Peer
	asked  *string // where it was asked to go last; guarded by list.mu
}

// list is all who play.
type list struct {
	mu  sync.Mutex
	all map[*reader]struct{}
}

// comes notes one who may play.
func (r *Readers) comes(name packager.StreamName, q ingest.Request, viewer string, now time.Time) *reader {
	who := &reader{stream: name, peer: q.Peer, shown: admin.Reader{
		ID: strings.ToLower(rand.Text()[:12]), Stream: name.String(), Remote: q.Remote.String(), Software: q.Software,
		Viewer: viewer, TLS: q.Encrypted, Relay: len(q.Via) > 0, Began: now.UTC(),
	}}
	r.list.mu.Lock()
	defer r.list.mu.Unlock()
	if r.list.all == nil {
		r.list.all = make(map[*reader]struct{})
	}
	r.list.all[who] = struct{}{}
	return who
}

func (r *Readers) leaves(who *reader) {
	r.list.mu.Lock()
	defer r.list.mu.Unlock()
	delete(r.list.all, who)
}

// List has all who play by RTMP. Who came last comes first.
func (r *Readers) List() []admin.Reader {
	r.list.mu.Lock()
	defer r.list.mu.Unlock()
	all := make([]admin.Reader, 0, len(r.list.all))
	for who := range r.list.all {
		one := who.shown
		one.Bytes, one.Skips = who.bytes.Load(), int(who.skips.Load())
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b admin.Reader) int { return b.Began.Compare(a.Began) })
	return all
}

// MoveOn asks some of those who understand it, relays above all, to play by another connection
// (Enhanced RTMP v2, "Reconnect Request"), who have not been asked that by the same pointer: a few,
// as all at once would be a crowd where they come next. It does nothing for nil.
func (r *Readers) MoveOn(to *string) {
	const atOnce = 20
	r.list.mu.Lock()
	defer r.list.mu.Unlock()
	asked := 0
	for who := range r.list.all {
		if to == nil || asked == atOnce {
			return
		}
		if who.asked != to && who.peer != nil {
			who.asked = to
			if who.peer.Reconnect(*to) {
				asked++
				r.Log.Info().Stringer("stream", who.stream).Str("remote", who.shown.Remote).Msg("the reader is asked to come by another connection")
			}
		}
	}
}

// Plays tells whether anybody plays a stream.
func (r *Readers) Plays(name packager.StreamName) bool {
	r.list.mu.Lock()
	defer r.list.mu.Unlock()
	for who := range r.list.all {
		if who.stream == name {
			return true
		}
	}
	return false
}
