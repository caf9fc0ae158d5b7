// Package e2e runs the built server with real encoders in, and real players
// and other people's parsers out.
//
// Every test starts a server of its own on free ports and talks to it as the
// world does: over RTMP and HTTP. Nothing of the server is called in process,
// and everything that is read from it is read with somebody else's code, or
// with code that exists here only.
//
//	go test ./e2e/...          everything: about three minutes, most of it media passing in real time
//	go test -short ./e2e/...   what takes a few seconds
//
// A tool that is missing fails the test that needs it, naming its Debian
// package: a test that skips itself proves nothing. SLUICE_E2E_RACE=1 builds the
// server with the race detector. Screenshots, playlists and logs are left in
// artifacts/. DASH_SCHEMA is the path of MPEG's DASH-MPD.xsd, and E2E_OBS=1 adds
// OBS Studio, which takes a processor for itself. E2E_PLAYERS=1 adds what each
// player does over two minutes, and WebKitGTK (make test-players). E2E_ENCODERS=1
// adds a recent ffmpeg in a chroot, and each codec in each browser (make test-encoders).
//
// VLC is left out: it refuses to run as root, as most containers do, and its
// exit code is 0 whatever it saw.
package e2e
