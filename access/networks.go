package access

import "net/netip"

// Networks is a list of networks, of plain IPv4 and of IPv6 without zones.
type Networks []netip.Prefix

// Contain tells whether an address is in one of them, whatever way it is
// written.
func (n Networks) Contain(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
