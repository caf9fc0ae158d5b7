package rtmpt

import "time"

// queue is bytes that wait to be taken. Its memory is kept for the next ones.
type queue struct {
	buf []byte
	at  int // where those begin that wait
}

func (q *queue) len() int { return len(q.buf) - q.at }

func (q *queue) push(b []byte) {
	if q.at > 0 && len(q.buf)+len(b) > cap(q.buf) {
		q.buf = q.buf[:copy(q.buf, q.buf[q.at:])]
		q.at = 0
	}
	q.buf = append(q.buf, b...)
}

func (q *queue) pop(b []byte) int {
	n := copy(b, q.buf[q.at:])
	if q.at += n; q.at == len(q.buf) {
		q.buf, q.at = q.buf[:0], 0
	}
	return n
}

// popAll appends all of it to dst.
func (q *queue) popAll(dst []byte) []byte {
	dst = append(dst, q.buf[q.at:]...)
	q.buf, q.at = q.buf[:0], 0
	return dst
}

// deadline is when a direction of a connection ends, and whether it has. It is
// used under the connection's mu.
type deadline struct {
	at     time.Time
	timer  *time.Timer
	passed bool
}

// set moves it: to the past, which is now, or to never, which is the zero time.
func (d *deadline) set(c *Conn, at time.Time) {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at, d.passed = at, false
	d.look(c)
}

// look is for a timer, too: one that could not be stopped finds another time.
func (d *deadline) look(c *Conn) {
	if d.at.IsZero() {
		return
	}
	left := time.Until(d.at)
	if left <= 0 {
		d.passed = true
		c.cond.Broadcast()
		return
	}
	d.timer = time.AfterFunc(left, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		d.look(c)
	})
}
