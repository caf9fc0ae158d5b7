package address

import (
	"fmt"
	"net/netip"
)

var loopback = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
}

// networkWords are what lists of networks take besides CIDRs.
var networkWords = map[string][]netip.Prefix{
	"loopback": loopback,
	"private": append(loopback[:len(loopback):len(loopback)],
		netip.MustParsePrefix("10.0.0.0/8"), // RFC 1918
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("169.254.0.0/16"), // RFC 3927, link-local
		netip.MustParsePrefix("fe80::/10"),      // RFC 4291, link-local
		netip.MustParsePrefix("fc00::/7"),       // RFC 4193, unique local
	),
	"any": {
		netip.MustParsePrefix("0.0.0.0/0"),
		netip.MustParsePrefix("::/0"),
	},
}

// Networks is a list of networks, of plain addresses.
type Networks []netip.Prefix

// ParseNetworks reads a list of CIDRs and of the words loopback, private (loopback,
// RFC 1918, link-local and unique local addresses) and any.
func ParseNetworks(list []string) (Networks, error) {
	var networks Networks
	for _, entry := range list {
		if known, ok := networkWords[entry]; ok {
			networks = append(networks, known...)
			continue
		}
		p, err := netip.ParsePrefix(entry)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 192.0.2.0/24, loopback, private or any", entry)
		}
		networks = append(networks, plainNetwork(p))
	}
	return networks, nil
}

// Contain tells whether an address is in one of them, whatever way it is
// spelled.
func (n Networks) Contain(a netip.Addr) bool {
	a = Plain(a)
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// plainNetwork is a network as it contains addresses: a rule for
// ::ffff:192.0.2.0/120 would be passed by all that it names.
func plainNetwork(p netip.Prefix) netip.Prefix {
	const mapped = 96 // bits in front of the IPv4 address
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p.Masked()
}
