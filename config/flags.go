package config

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// Flag is one flag, for those who complete command lines.
type Flag struct {
	Name string // rtmp-addr
	Help string // a sentence without its full stop
	Bool bool   // it needs no value
	File bool   // its value is a file or directory

	Words []string // what its value can be; nil: anything
}

// Flags are all of those that sluice serve takes, in the order of sluice.yaml.
func Flags() []Flag {
	c := Default()
	all := []Flag{{Name: "config", Help: "file to read, also " + envFile, File: true}}
	for _, f := range fieldsOf(&c) {
		_, isBool := f.ptr.(*bool)
		help := cmp.Or(short(told()[f.path]), f.path)
		all = append(all, Flag{Name: flagName(f.path)[1:], Help: help, Bool: isBool, File: isFile(f.path), Words: words[f.path]})
	}
	return all
}

// isFile tells whether a setting names a file, which shows in how it is called.
func isFile(setting string) bool {
	name := path.Ext(setting)
	return strings.HasSuffix(name, "_file") || slices.Contains([]string{".tls_cert", ".tls_key", ".cache"}, name)
}
