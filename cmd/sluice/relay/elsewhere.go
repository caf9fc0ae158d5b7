package relay

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/ingest/client"
)

// elsewhere is where the server of a relay asks to come by another connection (Enhanced RTMP v2,
// "Reconnect Request"), and when that is tried.
type elsewhere struct {
	asked bool
	next  client.Address
	again time.Time // no move before that
	tries backoff
	moved time.Time // last
	told  bool      // the log has that it can't be
}

// loud is the level for what keeps a relay from moving: a server may ask again and again.
func (e *elsewhere) loud() zerolog.Level {
	if e.told {
		return zerolog.DebugLevel
	}
	e.told = true
	return zerolog.WarnLevel
}

// ask notes what a server asks that is at that address.
func (e *elsewhere) ask(at client.Address, tcURL string) error {
	next, err := at.Elsewhere(tcURL)
	if err == nil {
		e.asked, e.next = true, next
	}
	return err
}

// due tells whether it is time to move.
func (e *elsewhere) due(now time.Time) bool { return e.asked && !now.Before(e.again) }

// tried notes that a move is tried. Behind one that went well there is a wait, too: nobody is led in
// circles.
func (e *elsewhere) tried(now time.Time) {
	e.again = now.Add(e.tries.wait(now.Sub(e.moved)))
	e.moved = now
}

// beyond dials no address in a network that is nearer to this server than one that asks to go there.
func (r *Relay) beyond(here net.Addr) client.Dialer {
	dial := r.Dial
	if dial.Net == nil {
		dial.Net = (&net.Dialer{Control: func(_, address string, _ syscall.RawConn) error { return noNearer(here.String(), address) }}).DialContext
	}
	return dial
}

// noNearer refuses an address in a network that is nearer to this server than the one that
// asks to go there: a server on the internet is not to lead us to what listens here.
func noNearer(from, to string) error {
	if reachOf(to) < reachOf(from) {
		return errors.New("the address is in a network that is nearer than the server's own")
	}
	return nil
}

// reachOf is from how far an address can be reached: this machine, its link, networks of one's
// own, the internet.
func reachOf(address string) int {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0
	}
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	switch ip := a.Addr().Unmap(); {
	case ip.IsLoopback() || ip.IsUnspecified():
		return 0
	case ip.IsLinkLocalUnicast():
		return 1
	case ip.IsPrivate() || shared.Contains(ip):
		return 2
	}
	return 3
}
