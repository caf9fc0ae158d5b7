// Package address says what counts as one address, and reads lists of networks.
//
// A peer's address has several spellings: the same IPv4 address is also an IPv6
// one (::ffff:192.0.2.1) where a socket takes both, and a link-local one names
// an interface (fe80::1%eth0). All that counts and compares goes by one of them,
// or a rule could be passed by another.
package address

import (
	"net"
	"net/netip"
)

// Of returns the plain address of a peer, or an invalid one where the transport
// has none (in-memory pipes).
func Of(a net.Addr) netip.Addr { return WithPort(a).Addr() }

// WithPort is Of with the peer's port.
func WithPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	default:
		return ap
	}
	return netip.AddrPortFrom(Plain(ap.Addr()), ap.Port())
}

// Plain returns the spelling of an address that all of its others stand for.
func Plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Home returns what counts as one address: an IPv4 address, or the /64 of an
// IPv6 one. Whoever has one address of that has all 2^64, and devices change
// theirs by themselves. What is invalid has none, which is invalid, too.
func Home(a netip.Addr) netip.Prefix {
	a = Plain(a)
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // an address has those bits
	return p
}
