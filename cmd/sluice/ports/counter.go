package ports

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// counter is a listener whose places nobody can hold against others. When all
// are taken, whoever came first gives way to the next, unless he is being
// attended to: strangers may come in numbers and do nothing, and what asks
// whether the server lives is answered all the same.
type counter struct {
	net.Listener
	most int

	mu   sync.Mutex
	line list.List // of *customer, in the order they came
}

// customer is a connection at a counter.
type customer struct {
	net.Conn
	counter  *counter
	place    *list.Element
	attended int // requests that operators have made and that are not answered yet
}

// Accept is part of net.Listener.
func (c *counter) Accept() (net.Conn, error) {
	nc, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	next := &customer{Conn: nc, counter: c}
	c.mu.Lock()
	first := c.first()
	next.place = c.line.PushBack(next)
	c.mu.Unlock()
	if first != nil {
		first.Close()
	}
	return next, nil
}

// first is who must give way, or nil where there is room.
func (c *counter) first() *customer {
	if c.line.Len() < c.most {
		return nil
	}
	for e := c.line.Front(); e != nil; e = e.Next() {
		if p := e.Value.(*customer); p.attended == 0 {
			return p
		}
	}
	return nil
}

// Close is part of net.Conn.
func (p *customer) Close() error {
	p.counter.mu.Lock()
	if p.place != nil {
		p.counter.line.Remove(p.place)
		p.place = nil
	}
	p.counter.mu.Unlock()
	return p.Conn.Close()
}

// CloseWrite lets net/http end an answer that the peer must hear.
func (p *customer) CloseWrite() error {
	if t, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return t.CloseWrite()
	}
	return nil
}

type customerKey struct{}

// remember tells attend whose requests they are.
func (c *counter) remember(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, customerKey{}, nc)
}

// attend stands behind the token: who has shown it keeps his place until he is
// answered.
func (c *counter) attend(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, ok := r.Context().Value(customerKey{}).(*customer); ok {
			p.attend(1)
			defer p.attend(-1)
		}
		next.ServeHTTP(w, r)
	})
}

func (p *customer) attend(n int) {
	p.counter.mu.Lock()
	defer p.counter.mu.Unlock()
	p.attended += n
}
