package ports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
)

// loopback is where Answer asks from.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// asking is a listener that can be asked whether it lives.
type asking struct {
	name  string
	addr  net.Addr
	proxy bool // it wants to hear first for whom somebody from this machine comes
}

// Answer comes in by each TCP port as a stranger would, and returns what is wrong with one
// where nobody answers until ctx ends. Any answer will do, a refusal, too: that one of
// plenty must wait is no fault of the server. Nor is it that there are no descriptors left,
// which live streams survive.
func (p *Ports) Answer(ctx context.Context) error {
	answers := make(chan error, len(p.asks))
	for _, a := range p.asks {
		go func() { answers <- a.ask(ctx) }()
	}
	var faults []error
	for range p.asks {
		faults = append(faults, <-answers)
	}
	return errors.Join(faults...)
}

func (a asking) ask(ctx context.Context) error {
	nc, err := a.dial(ctx)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	defer nc.Close()
	if deadline, ok := ctx.Deadline(); ok {
		nc.SetDeadline(deadline)
	}
	if a.proxy { // version 1 of the PROXY protocol: for nobody else
		io.WriteString(nc, "PROXY UNKNOWN\r\n")
	}
	switch a.name {
	case "http", "admin":
		io.WriteString(nc, "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	default: // others close in turn: a goroutine was there for us
		nc.(*net.TCPConn).CloseWrite()
	}
	if _, err = nc.Read(make([]byte, 1)); errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s doesn't answer: %w", a.name, err)
	}
	return nil
}

// dial connects to where a listener is, as seen from this machine.
func (a asking) dial(ctx context.Context) (net.Conn, error) {
	tcp, ok := a.addr.(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("%v is no address of TCP", a.addr)
	}
	to := []netip.Addr{tcp.AddrPort().Addr().Unmap()}
	if to[0].IsUnspecified() {
		to = []netip.Addr{loopback, netip.IPv6Loopback()}
	}
	var faults []error
	for _, addr := range to {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(addr, uint16(tcp.Port)).String())
		if err == nil {
			return nc, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}
