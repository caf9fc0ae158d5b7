package httpserve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

const (
	maxQuery = 4 << 10
	bodyTime = time.Second // for what comes of a body that nobody wants
)

var (
	errBody    = errors.New("nothing here takes a request with a body")
	errQuery   = errors.New("the query is longer than 4096 bytes")
	errCrowded = errors.New("too many requests wait already, from your address or for this stream: come back in a second")
)

// Front bounds what strangers can do to h before anything of theirs is looked
// at. Handler has it; others on its listeners need it.
func (s *Server) Front(h http.Handler) http.Handler { return s.guard(s.noBodies(h)) }

// OperatorsFront is that of operators, whose requests may have small bodies; refuse tells
// them in their own way of others.
func (s *Server) OperatorsFront(h http.Handler, refuse func(w http.ResponseWriter, r *http.Request, code int, text string)) http.Handler {
	tell := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("a body has %d bytes at most, and says in Content-Length how many", maxBody))
	}
	return s.guard(s.smallBodies(h, s.bodiless(h, s.count("refused", tell))))
}

// maxBody bounds the body of an operator's request.
const maxBody = 4 << 10

// smallBodies gives requests to next whose bodies are small, and say so: when they are
// there as a whole, so that nothing behind waits for one. All others are for refuse.
func (s *Server) smallBodies(next, refuse http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hasBody(r) || r.ContentLength < 0 || r.ContentLength > maxBody {
			refuse.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(bodyTime))
		body, err := io.ReadAll(r.Body) // net/http ends it at its length
		if err != nil {                 // net/http has ended the context, and an answer needs one
			refuse.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
			return
		}
		_ = control.SetReadDeadline(time.Time{}) // net/http sets its own for what follows
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// noBodies refuses requests with a body, whatever else they are. It stands in
// front of all that answers, of methods and listeners alike: net/http reads the
// rest of a body behind the answer, and would wait for it for ever.
func (s *Server) noBodies(next http.Handler) http.Handler {
	return s.bodiless(next, s.count("refused", s.handle(func(http.ResponseWriter, *http.Request) error { return errBody })))
}

// bodiless does so, and says it by refuse.
func (s *Server) bodiless(next http.Handler, refuse http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hasBody(r) {
			next.ServeHTTP(w, r)
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		if r.ProtoMajor == 1 { // later, the connection is others', too
			w.Header().Set("Connection", "close")
		}
		s.Metrics.Refused(metrics.RequestBody)
		refuse(w, r)
	})
}

// bounds turns away requests that no player makes, before anything is looked
// up for them.
func (s *Server) bounds(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.Locate(r)
		switch {
		case err != nil:
		case len(r.URL.RawQuery) > maxQuery:
			s.Metrics.Refused(metrics.Query)
			err = errQuery
		case strings.Contains(r.Header.Get("Range"), ","):
			// Many ranges of one file are an old way to make a server work.
			// RFC 9110, section 14.2 lets us send the whole instead.
			r.Header.Del("Range")
		}
		if err != nil {
			s.count("refused", s.handle(func(http.ResponseWriter, *http.Request) error { return err }))(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hasBody tells whether a body comes, or may. HTTP/3 doesn't know of one before
// it is read, and needn't: what nobody reads there ends with its stream.
func hasBody(r *http.Request) bool {
	return r.ContentLength > 0 || r.ContentLength < 0 && r.ProtoMajor < 3
}

// Waits bounds how many requests may wait for something that is not there yet.
type Waits struct {
	PerAddress int // of one address.Home; 0: any number
	PerStream  int // 0: any number
	Exempt     address.Networks
}

// waiters counts the requests that wait.
type waiters struct {
	mu        sync.Mutex
	addresses map[netip.Prefix]int
	streams   map[packager.StreamName]int
}

// beginWait counts a request as waiting until leave is called.
func (s *Server) beginWait(from netip.Addr, stream packager.StreamName) (leave func(), err error) {
	w := &s.waiters
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.addresses == nil {
		w.addresses, w.streams = make(map[netip.Prefix]int), make(map[packager.StreamName]int)
	}
	who, limited := s.Waits.home(from)
	if limited && w.addresses[who] >= s.Waits.PerAddress {
		return nil, s.crowded(metrics.WaitsPerAddress)
	}
	if s.Waits.PerStream > 0 && w.streams[stream] >= s.Waits.PerStream {
		return nil, s.crowded(metrics.WaitsPerStream)
	}
	if limited {
		w.addresses[who]++
	}
	w.streams[stream]++
	released := s.Metrics.Blocked(time.Now)
	return func() {
		released()
		w.mu.Lock()
		defer w.mu.Unlock()
		if limited {
			dec(w.addresses, who)
		}
		dec(w.streams, stream)
	}, nil
}

func (s *Server) crowded(what metrics.Limit) error {
	s.Metrics.Refused(what)
	return errCrowded
}

// home is what a viewer's requests are counted under, if they are.
func (l Waits) home(a netip.Addr) (netip.Prefix, bool) {
	if l.PerAddress == 0 || !a.IsValid() || l.Exempt.Contain(a) {
		return netip.Prefix{}, false
	}
	return address.Home(a), true
}

// dec counts down and leaves no zero behind.
func dec[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}
