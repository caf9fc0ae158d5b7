package main

import (
	"bytes"
	"embed"
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/sluice-live/sluice/cmd/sluice/probe"
	"github.com/sluice-live/sluice/config"
)

const completionUsage = `sluice completion bash|zsh|fish prints a script that completes what sluice takes:

  bash   sluice completion bash > /usr/share/bash-completion/completions/sluice
  zsh    sluice completion zsh  > "${fpath[1]}/_sluice"
  fish   sluice completion fish > ~/.config/fish/completions/sluice.fish`

//go:embed completion
var scripts embed.FS

// shells are those that we know how to talk to.
var shells = []string{"bash", "zsh", "fish"}

// completing is what the scripts are made of: commands and flags as the program itself has
// them, so that none is forgotten.
type completing struct {
	Commands []completed
	Server   []config.Flag // of the commands that read the configuration as flags
	Shells   []string
}

// completed is a command.
type completed struct {
	command
	Flags []config.Flag
}

func completions() completing {
	all := completing{Server: config.Flags(), Shells: shells}
	key, _ := keyFlags()
	sign, _ := signFlags()
	play, _ := probe.Flags()
	own := map[string]*flag.FlagSet{"key": key, "sign": sign, "probe": play}
	for _, c := range commands {
		one := completed{command: c}
		if set := own[c.Name]; set != nil {
			one.Flags = flagsOf(set)
		}
		all.Commands = append(all.Commands, one)
	}
	return all
}

func flagsOf(set *flag.FlagSet) (all []config.Flag) {
	set.VisitAll(func(f *flag.Flag) {
		b, ok := f.Value.(interface{ IsBoolFlag() bool })
		all = append(all, config.Flag{Name: f.Name, Help: f.Usage, Bool: ok && b.IsBoolFlag(), File: f.Name == "config"})
	})
	return all
}

// completion prints the script of a shell.
func completion(args []string, w io.Writer) error {
	if len(args) != 1 || !slices.Contains(shells, args[0]) {
		return errors.New(completionUsage)
	}
	funcs := template.FuncMap{
		// quote is for a word that a shell must not look into: none of ours has a quote in it, and
		// where one comes to have, it is left out.
		"quote": func(s string) string { return "'" + strings.ReplaceAll(s, "'", "") + "'" },
		// spec is for zsh's _arguments, to which brackets and colons mean something.
		"spec": strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`, "'", "").Replace,
	}
	t, err := template.New("").Funcs(funcs).ParseFS(scripts, "completion/"+args[0])
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.ExecuteTemplate(&text, args[0], completions()); err != nil {
		return err
	}
	_, err = w.Write(text.Bytes())
	return err
}
