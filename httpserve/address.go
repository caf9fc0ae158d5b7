package httpserve

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sluice-live/sluice/config/address"
)

// errForwarded is for a proxy that passes on one header that it didn't write
// beside the one that it did: nothing says which is which.
var errForwarded = errors.New("X-Forwarded-For and Forwarded name different addresses: the proxy must remove the one that it doesn't write")

// Locate puts the viewer's address in the place of the proxy's in r.RemoteAddr,
// for all that goes by it: limits, rules and logs. Handler has it; others on its
// listeners need it.
func (s *Server) Locate(r *http.Request) error {
	peer := remote(r)
	if !s.Proxies.Contain(peer) {
		return nil // whoever it is, what it says of itself is worth nothing
	}
	viewer, err := s.forwarded(r.Header, peer)
	if err != nil {
		return err
	}
	r.RemoteAddr = netip.AddrPortFrom(viewer, 0).String()
	return nil
}

// forwarded is the right-most address that is not a proxy of ours: further to
// the left anybody can have written anything.
func (s *Server) forwarded(h http.Header, peer netip.Addr) (netip.Addr, error) {
	common := s.behind(peer, strings.Split(strings.Join(h.Values("X-Forwarded-For"), ","), ","))
	standard := s.behind(peer, forwardedFor(h.Values("Forwarded")))
	switch {
	case h.Get("X-Forwarded-For") == "":
		return standard, nil
	case h.Get("Forwarded") != "" && standard != common:
		return peer, errForwarded
	}
	return common, nil
}

// behind walks from the peer to the left, as far as addresses are known and
// belong to proxies.
func (s *Server) behind(peer netip.Addr, hops []string) netip.Addr {
	for i := len(hops) - 1; i >= 0 && s.Proxies.Contain(peer); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		peer = hop
	}
	return peer
}

// parseHop reads an address, with a port or without.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return address.Plain(ap.Addr()), true
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return address.Plain(a), err == nil
}

// forwardedFor returns the for= of each element (RFC 7239). One without any
// stays in its place, as what can't be read.
func forwardedFor(values []string) (hops []string) {
	for element := range strings.SplitSeq(strings.Join(values, ","), ",") {
		hop := ""
		for pair := range strings.SplitSeq(element, ";") {
			if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(name, "for") {
				hop = strings.Trim(value, `"`)
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// remote is where a request comes from; behind locate, it is the viewer's.
func remote(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero address belongs to no network
	return address.Plain(a.Addr())
}
