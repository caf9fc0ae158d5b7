package ingest

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/ingest/metrics"
)

// idleReader reads from a connection under one of two deadlines: a fixed one,
// or one that each arrival pushes back.
type idleReader struct {
	ctx     context.Context // its end is the end of reading
	nc      net.Conn
	now     func() time.Time
	timeout time.Duration // 0: the deadline is fixed
	silence func() error  // asked at a moving deadline whether to go on; nil: no
	set     time.Time     // when the moving deadline was set
	unasked bool          // a deadline was set since ctx was asked
	heard   bool          // anything at all
	born    time.Time     // time.Now's: differences to it are those of a clock that nobody sets
	last    atomic.Int64  // when something came last, ns since born

	failed    error                            // of received: it stays
	received  func(n int, now time.Time) error // judges each read; may be nil
	metrics   *metrics.Set
	uncounted uint64 // bytes that metrics have not been told of
}

// until gives all reads from here on d together.
func (r *idleReader) until(d time.Duration) {
	r.timeout, r.silence = 0, nil
	r.deadline(r.now().Add(d))
}

func (r *idleReader) deadline(at time.Time) {
	r.nc.SetReadDeadline(at)
	r.unasked = true
}

// every gives each read d of its own.
func (r *idleReader) every(d time.Duration) {
	r.timeout, r.set, r.silence = d, time.Time{}, nil
}

// watch gives all reads from here on as long as it takes, and has silence asked each
// time that d has passed without an arrival.
func (r *idleReader) watch(d time.Duration, silence func() error) {
	r.every(d)
	r.silence = silence
}

func (r *idleReader) Read(b []byte) (int, error) {
	if r.timeout > 0 {
		// A timer for each read would cost more than the read's parsing: the
		// deadline moves once in a sixteenth of its length.
		if now := r.now(); now.Sub(r.set) > r.timeout/16 {
			r.set = now
			r.count()
			r.deadline(now.Add(r.timeout))
		}
	}
	if r.failed != nil {
		return 0, r.failed
	}
	// Were ctx to end before a deadline was set, the wake-up that came with the
	// end would be undone.
	if r.unasked {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		r.unasked = false
	}
	n, err := r.nc.Read(b)
	for n == 0 && r.silence != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		if err := r.silence(); err != nil {
			return 0, err
		}
		r.nc.SetReadDeadline(r.now().Add(r.timeout))
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		n, err = r.nc.Read(b)
	}
	if n > 0 {
		r.heard = true
		r.uncounted += uint64(n)
		now := r.now()
		r.last.Store(int64(now.Sub(r.born)))
		if r.received != nil && r.failed == nil {
			r.failed = r.received(n, now)
		}
	}
	return n, err
}

// latest is when something came last.
func (r *idleReader) latest() time.Time { return r.born.Add(time.Duration(r.last.Load())) }

// count tells the metrics what has come: once in a while, not for each read.
func (r *idleReader) count() {
	r.metrics.Ingested(r.uncounted)
	r.uncounted = 0
}
