package main

import (
	"cmp"
	"fmt"
	"go/version"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// wantedGo is the toolchain of go.mod, which binaries don't remember.
const wantedGo = "go1.26.10"

// commit is for builds that know it otherwise than by the Go tool:
// -ldflags "-X main.commit=…".
var commit string

// release is the version, for builds that know it otherwise: -ldflags "-X main.release=…".
var release string

// moduleVersion is what the build says, or else the Go tool, which wrote it into the binary.
func moduleVersion() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(unknown)"
}

// printVersion tells all that is known of how the program was built.
func printVersion(w io.Writer) {
	fmt.Fprintf(w, "sluice %s, commit %s, %s %s/%s\n", moduleVersion(), builtFrom(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if note := goNote(runtime.Version()); note != "" {
		fmt.Fprintln(w, note)
	}
}

func builtFrom() string {
	revision, dirty := commit, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "-dirty"
			}
		}
	}
	return cmp.Or(revision, "unknown") + dirty
}

// goNote warns of a Go that is older than go.mod asks for, or can't be compared
// with it. It is empty for others.
func goNote(built string) string {
	plain, _, _ := strings.Cut(built, " ") // an experiment follows
	plain, _, _ = strings.Cut(plain, "-")  // a distributor's name
	switch {
	case !version.IsValid(plain):
		return fmt.Sprintf("built with %s: whether that is as good as %s, which go.mod asks for, is unknown", built, wantedGo)
	case version.Compare(plain, wantedGo) < 0:
		return fmt.Sprintf("built with %s, in which holes are known, in HTTP/2 among others: go.mod asks for %s. "+
			"Not for the internet; `make build` fetches the right one", built, wantedGo)
	}
	return ""
}
