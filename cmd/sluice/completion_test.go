package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// mustHave skips a test whose shell is not here. Where tests decide (CI), it must be.
func mustHave(t *testing.T, shell string) {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// script writes the completion of a shell that must be here to a file.
func script(t *testing.T, shell string) string {
	t.Helper()
	mustHave(t, shell)
	path := filepath.Join(t.TempDir(), "_sluice")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := completion([]string{shell}, f); err != nil {
		t.Fatal(err)
	}
	return path
}

// typed are command lines, and what each shell must offer, or must not.
var typed = []struct{ line, offered, not string }{
	{"sluice pro", "probe", "serve"},
	{"sluice -rtmp-ad", "-rtmp-addr", "-http-addr"},
	{"sluice serve -http-hol", "-http-hold-timeout", "-rtmp-addr"},
	{"sluice check -window-seg", "-window-segments", "-rtmp-addr"},
	{"sluice sign -exp", "-expires", "-rtmp-addr"},
	{"sluice key -us", "-user", "-rtmp-addr"},
	{"sluice completion fi", "fish", "bash"},
	{"sluice serve -log-level de", "debug", "warn"},
	{"sluice -hooks-events unp", "unpublished", "ready"},
}

// inShell runs a shell, which must be done soon.
func inShell(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "TERM=dumb")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestBash(t *testing.T) {
	path := script(t, "bash")
	for _, c := range typed {
		args := append([]string{"--norc", "-c", `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; echo "${COMPREPLY[@]}"`, "bash", path},
			strings.Fields(c.line)...)
		out := strings.Fields(inShell(t, "bash", args...))
		if !slices.Contains(out, c.offered) || slices.Contains(out, c.not) {
			t.Errorf("%s: %q is offered, want %s", c.line, out, c.offered)
		}
	}
	// A file where one is wanted.
	out := inShell(t, "bash", "--norc", "-c", `source "$1"; COMP_WORDS=(sluice -config "$1"); COMP_CWORD=2; _sluice; echo "${COMPREPLY[@]}"`, "bash", path)
	if strings.TrimSpace(out) != path {
		t.Errorf("behind -config: %q", out)
	}
}

// In a shell that somebody types in, at a terminal that zsh makes, one key is enough where
// there is one thing to go on with: behind a directory comes a slash, and no blank.
func TestBashTyped(t *testing.T) {
	path := script(t, "bash")
	mustHave(t, "zsh")
	dir := filepath.Join(t.TempDir(), "some where")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a file.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const session = `
zmodload zsh/zpty || exit 1
zpty z bash --norc --noprofile -i
zpty -w z 'PS1=; bind "set enable-bracketed-paste off"; bind "set bell-style none"; sluice() { printf "<%s>" "$@"; echo "do""ne"; }; source '$1'; echo re""ady'
zpty -r z said '*ready*' || exit 1
for keys in "${@:2}"; do zpty -n -w z "$keys"; sleep 0.3; done
zpty -n -w z $'\n'
zpty -r z said '*>done*'
print -r -- $said
zpty -d z`
	somewhere := filepath.Dir(dir) + "/so"
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"sluice che\t"}, "<check>"},
		{[]string{"sluice serve -log-lev\t", "deb\t"}, "<serve><-log-level><debug>"},
		{[]string{"sluice -log-level=deb\t"}, "<-log-level=debug>"},
		{[]string{"sluice -rtmp-drain\t", "5m"}, "<-rtmp-drain-time><5m>"},
		{[]string{"sluice check -config " + somewhere + "\t", "a\t"}, "<check><-config><" + dir + "/a file.yaml>"},
	} {
		out := inShell(t, "zsh", append([]string{"-f", "-c", session, "zsh", path}, c.keys...)...)
		if !strings.Contains(out, c.want+"done") {
			t.Errorf("%q: %q, want %s", c.keys, out, c.want)
		}
	}
}

func TestFish(t *testing.T) {
	path := script(t, "fish")
	for _, c := range typed {
		out := inShell(t, "fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", path, c.line)
		if !strings.Contains(out, c.offered) || strings.Contains(out, c.not+"\t") {
			t.Errorf("%s: %q is offered, want %s", c.line, out, c.offered)
		}
	}
}

// zsh completes only on a terminal: it has one made.
func TestZsh(t *testing.T) {
	path := script(t, "zsh")
	const session = `
zmodload zsh/zpty || exit 1
zpty z zsh -f -i
zpty -w z 'PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D; source '$1'; echo re""ady'
zpty -r z said '*ready*' || exit 1
zpty -n -w z "$2"$'\t'
sleep 0.3
zpty -n -w z $'\x15echo do""ne\n'
zpty -r z said '*done*'
print -r -- $said
zpty -d z`
	for _, c := range typed {
		out := inShell(t, "zsh", "-f", "-c", session, "zsh", path, c.line)
		if !strings.Contains(out, c.offered) || strings.Contains(out, c.not) {
			t.Errorf("%s: %q, want %s", c.line, out, c.offered)
		}
	}
}

// Each command and each flag is in each script, and in the help.
func TestCompletionHasAll(t *testing.T) {
	all := completions()
	for _, shell := range shells {
		var b strings.Builder
		if err := completion([]string{shell}, &b); err != nil {
			t.Fatal(err)
		}
		for _, c := range all.Commands {
			if !strings.Contains(b.String(), c.Name) || !strings.Contains(usage(), "sluice "+c.Name) && !strings.Contains(usage(), "["+c.Name+"]") {
				t.Errorf("%s doesn't know %s", shell, c.Name)
			}
		}
		for _, f := range all.Server {
			if !strings.Contains(b.String(), f.Name) {
				t.Errorf("%s doesn't know -%s", shell, f.Name)
			}
		}
	}
	for _, args := range [][]string{nil, {"tcsh"}, {"bash", "zsh"}} {
		if err := completion(args, nil); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
