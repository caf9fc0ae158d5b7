package relay

import "testing"

// A server on the internet sends no push to a network that is nearer than its own.
func TestNoNearer(t *testing.T) {
	for _, c := range []struct {
		from, to string
		good     bool
	}{
		{"203.0.113.9:1935", "198.51.100.7:1935", true},
		{"203.0.113.9:1935", "10.0.0.1:1935", false},
		{"203.0.113.9:1935", "127.0.0.1:1935", false},
		{"203.0.113.9:1935", "169.254.169.254:80", false},
		{"203.0.113.9:1935", "100.64.0.1:1935", false},
		{"203.0.113.9:1935", "[::1]:1935", false},
		{"203.0.113.9:1935", "[::ffff:10.0.0.1]:1935", false},
		{"203.0.113.9:1935", "[fd00::1]:1935", false},
		{"203.0.113.9:1935", "[2001:db8::1]:1935", true},
		{"10.0.0.1:1935", "192.168.0.1:1935", true},
		{"10.0.0.1:1935", "127.0.0.1:1935", false},
		{"10.0.0.1:1935", "203.0.113.9:1935", true},
		{"127.0.0.1:1935", "127.0.0.1:1936", true},
		{"127.0.0.1:1935", "no address", true},
	} {
		if err := noNearer(c.from, c.to); (err == nil) != c.good {
			t.Errorf("from %s to %s: %v", c.from, c.to, err)
		}
	}
}
