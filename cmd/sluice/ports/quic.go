package ports

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/config/address"
)

// QUIC serves HTTP/3 to those whom the door lets in. Handlers on TCP
// should tell of it by advertise.
func QUIC(h http.Handler, pc net.PacketConn, config *tls.Config, d *QUICDoor) (w Way, advertise func(http.Handler) http.Handler) {
	s := &http3.Server{
		Handler:        h,
		MaxHeaderBytes: 16 << 10,
		IdleTimeout:    60 * time.Second,
		ConnContext:    d.proven,
	}
	t := &quic.Transport{Conn: pc, VerifySourceAddress: d.doubts, ConnContext: d.admit}
	end := func(err error) error { return errors.Join(err, t.Close(), ignoreClosed(pc.Close())) }
	altSvc := fmt.Sprintf(`h3=":%d"; ma=86400`, pc.LocalAddr().(*net.UDPAddr).Port)
	w = Way{
		Serve: func() error {
			// Not ListenEarly: those who come by it have proven nothing yet.
			l, err := t.Listen(http3.ConfigureTLSConfig(config), &quic.Config{MaxIncomingStreams: MaxStreams, HandshakeIdleTimeout: HeaderTimeout})
			if err != nil {
				return ignoreClosed(err)
			}
			defer l.Close()
			return ignoreClosed(s.ServeListener(l))
		},
		Shutdown: func(ctx context.Context) error { return end(s.Shutdown(ctx)) },
		Close:    func() error { return end(s.Close()) },
	}
	return w, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Alt-Svc", altSvc)
			next.ServeHTTP(w, r)
		})
	}
}

// QUICDoor is a door for QUIC, where anybody can write any address on a
// packet: only the handshake proves it.
//
//	Initial ── too many unproven? Retry ── door.Enter ── handshake ──▶ proven
//
// So that nobody takes the places of others by their address, few connections
// are unproven at a time. While there are that many, the next ones are told by
// Retry to show first that they hear us (RFC 9000, section 8.1.2), which costs
// them a round trip and us nothing to remember.
type QUICDoor struct {
	door     *door.Door
	unproven atomic.Int64
	most     int64
}

// mostUnproven is how many may be unproven at once.
const mostUnproven = 64

// NewQUICDoor takes how many connections an address may have, or 0.
func NewQUICDoor(d *door.Door, perAddress int) *QUICDoor {
	q := &QUICDoor{door: d, most: mostUnproven}
	if perAddress > 0 {
		q.most = min(q.most, int64(perAddress)/4) // the rest of it stays the address's own
	}
	return q
}

func (d *QUICDoor) doubts(net.Addr) bool { return d.unproven.Load() >= d.most }

// provenKey is a connection's func() that counts it as proven.
type provenKey struct{}

// admit refuses a connection with CONNECTION_REFUSED, upon which browsers come
// by TCP, or counts it until its context ends.
func (d *QUICDoor) admit(ctx context.Context, c *quic.ClientInfo) (context.Context, error) {
	leave, err := d.door.Enter("http3", address.Of(c.RemoteAddr))
	if err != nil {
		return nil, err
	}
	proven := func() {}
	if !c.AddrVerified {
		d.unproven.Add(1)
		proven = sync.OnceFunc(func() { d.unproven.Add(-1) })
	}
	context.AfterFunc(ctx, func() { proven(); leave() })
	return context.WithValue(ctx, provenKey{}, proven), nil
}

// proven is told of each connection whose handshake is complete.
func (d *QUICDoor) proven(ctx context.Context, _ *quic.Conn) context.Context {
	ctx.Value(provenKey{}).(func())()
	return ctx
}
