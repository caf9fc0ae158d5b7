package address

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

var spellings = []struct{ addr, plain, home string }{
	{"192.0.2.1", "192.0.2.1", "192.0.2.1/32"},
	{"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1/32"},
	{"::ffff:192.0.2.1%eth0", "192.0.2.1", "192.0.2.1/32"},
	{"2001:db8:0:1:a:b:c:d", "2001:db8:0:1:a:b:c:d", "2001:db8:0:1::/64"},
	{"fe80::1", "fe80::1", "fe80::/64"},
	{"fe80::1%eth0", "fe80::1", "fe80::/64"},
	{"fe80::2%eth1", "fe80::2", "fe80::/64"},
	{"::1", "::1", "::/64"},
	{"::192.0.2.1", "::c000:201", "::/64"}, // not mapped: an address of IPv6
	{"0.0.0.0", "0.0.0.0", "0.0.0.0/32"},
	{"::", "::", "::/64"},
}

func TestSpellings(t *testing.T) {
	for _, s := range spellings {
		a := netip.MustParseAddr(s.addr)
		if got := Plain(a).String(); got != s.plain {
			t.Errorf("%s is plainly %s, want %s", s.addr, got, s.plain)
		}
		home := Home(a)
		if home.String() != s.home || !home.Contains(Plain(a)) {
			t.Errorf("%s is at home in %v, want %s", s.addr, home, s.home)
		}
		if Home(Plain(a)) != home || Home(home.Addr()) != home {
			t.Errorf("%s has two homes", s.addr)
		}
		port := netip.AddrPortFrom(a, 4711)
		for _, peer := range []net.Addr{net.TCPAddrFromAddrPort(port), net.UDPAddrFromAddrPort(port)} {
			if got := Of(peer).String(); got != s.plain {
				t.Errorf("%v is of %s, want %s", peer, got, s.plain)
			}
		}
	}
}

// A peer without an address is nobody's neighbour, and in no network.
func TestNoAddress(t *testing.T) {
	var none netip.Addr
	if Plain(none).IsValid() || Home(none).IsValid() || Of(pipeAddr()).IsValid() || Of(nil).IsValid() {
		t.Error("it has one")
	}
	if (Networks{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}).Contain(none) {
		t.Error("it is somewhere")
	}
}

func pipeAddr() net.Addr {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	return a.RemoteAddr()
}

func TestNetworks(t *testing.T) {
	n := Networks{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("2001:db8::/32")}
	for addr, want := range map[string]bool{
		"192.0.2.7": true, "::ffff:192.0.2.7": true, "::ffff:192.0.2.7%eth0": true, "::192.0.2.7": false,
		"fe80::1": true, "fe80::1%eth0": true, "2001:db8:1::1": true, "2001:db8:1::1%1": true,
		"192.0.3.7": false, "::ffff:192.0.3.7": false, "fec0::1%eth0": false, "2001:db9::1": false,
	} {
		if got := n.Contain(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if Networks(nil).Contain(netip.MustParseAddr("192.0.2.7")) {
		t.Error("no network has somebody in it")
	}
}

func TestParseNetworks(t *testing.T) {
	tests := []struct {
		list    string
		in, out string
	}{
		{"loopback", "127.0.0.1 127.9.9.9 ::1", "10.0.0.1 128.0.0.1 ::2"},
		{"private", "127.0.0.1 ::1 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1 fe80::1 fd00::1",
			"172.32.0.1 192.0.2.1 8.8.8.8 2001:db8::1 100.64.0.1"},
		{"any", "8.8.8.8 2001:db8::1", ""},
		{"192.0.2.77/24,2001:db8::/32,loopback", "192.0.2.1 2001:db8::1 ::1", "192.0.3.1 10.0.0.1"},
		{"::ffff:192.0.2.77/120", "192.0.2.1", "192.0.3.1 2001:db8::1"},
		{"::ffff:192.0.2.77/128", "192.0.2.77", "192.0.2.78"},
		{"", "", "127.0.0.1 ::1"},
	}
	for _, tt := range tests {
		networks, err := ParseNetworks(strings.FieldsFunc(tt.list, func(r rune) bool { return r == ',' }))
		if err != nil {
			t.Fatal(err)
		}
		for addr := range strings.FieldsSeq(tt.in) {
			if !networks.Contain(netip.MustParseAddr(addr)) {
				t.Errorf("[%s] lacks %s", tt.list, addr)
			}
		}
		for addr := range strings.FieldsSeq(tt.out) {
			if networks.Contain(netip.MustParseAddr(addr)) {
				t.Errorf("[%s] has %s", tt.list, addr)
			}
		}
	}
}
