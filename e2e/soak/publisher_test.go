package main

import (
	"io"
	"net"
	"testing"
	"time"
)

// Whose line breaks has closed its own half alone, and hears what the server says: so TCP
// throws nothing away.
func TestFragileHearsTheServer(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, broken := range []bool{false, true} {
		nc, err := dial(t.Context(), l.Addr().String(), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := &fragile{TCPConn: nc.(*net.TCPConn)}
		defer f.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		for _, c := range []net.Conn{f, server} {
			c.SetDeadline(time.Now().Add(10 * time.Second))
		}
		f.broken.Store(broken)
		want := "a message"
		f.Write([]byte(want))
		if broken {
			want = want[:len(want)/2]
		} else if err := net.Conn(f).(interface{ CloseWrite() error }).CloseWrite(); err != nil { // as client does
			t.Fatal(err)
		}
		if came, err := io.ReadAll(server); string(came) != want || err != nil {
			t.Errorf("broken %v: the server reads %q, and %v", broken, came, err)
		}
		server.Write([]byte("heard"))
		server.Close()
		if heard, err := io.ReadAll(f); string(heard) != "heard" || err != nil {
			t.Errorf("broken %v: it hears %q, and %v", broken, heard, err)
		}
	}
}
