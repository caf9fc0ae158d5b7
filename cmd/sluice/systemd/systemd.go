// Package systemd talks with what has started the program: it takes over the sockets that
// were opened for it (sd_listen_fds(3)), and tells how it is (sd_notify(3)).
//
// It is a few lines of text each way, so no library is asked. Whoever speaks the same, as
// s6 and some container runtimes do, is served, too.
package systemd
