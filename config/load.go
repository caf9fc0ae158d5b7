package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

const (
	defaultFile = "sluice.yaml" // read if it is in the working directory
	envPrefix   = "SLUICE_"
	envFile     = envPrefix + "CONFIG"

	fromDefault = "default"
)

// Load reads the configuration: defaults, then the file (-config, else SLUICE_CONFIG, else
// sluice.yaml if it exists), then environ, then the flags in args, the later winning. It returns
// what follows the flags, too.
//
// The error joins all faults found, each naming where the value came from: file and line,
// environment variable or flag. Asked for help, Load prints it to os.Stderr and returns flag.ErrHelp.
func Load(args []string, environ []string) (Config, []string, error) {
	return load(args, environ, os.Stderr)
}

func load(args, environ []string, help io.Writer) (Config, []string, error) {
	c := Default()
	l := newLoader(fieldsOf(&c))

	given, err := l.parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		Help(help)
	}
	if err != nil {
		return Config{}, nil, err
	}
	l.file(given.config, environ)
	l.env(environ)
	for _, s := range given.settings {
		l.record(s.f, flagName(s.f.path), s.f.set(s.text))
	}
	l.judge(c.faults())

	if len(l.errs) > 0 {
		return Config{}, nil, errors.Join(l.errs...)
	}
	return c, given.rest, nil
}

// A loader fills the fields of one Config, from the weakest source to the strongest.
type loader struct {
	fields []field
	byPath map[string]field
	groups map[string]bool // paths of the groups the fields are in
	errs   []error

	// origin is where each field's value comes from: "default", "sluice.yaml:12",
	// "SLUICE_RTMP_ADDR" or "-rtmp-addr"; empty if what was said there could not be read.
	origin map[string]string
}

func newLoader(fields []field) *loader {
	l := &loader{
		fields: fields,
		byPath: map[string]field{},
		groups: map[string]bool{},
		origin: map[string]string{},
	}
	for _, f := range fields {
		l.byPath[f.path] = f
		l.origin[f.path] = fromDefault
		for i, c := range f.path {
			if c == '.' {
				l.groups[f.path[:i]] = true
			}
		}
	}
	return l
}

// record notes that origin has set f, or has failed to.
func (l *loader) record(f field, origin string, err error) {
	l.origin[f.path] = origin
	if err != nil {
		l.origin[f.path] = ""
		l.fail(place(origin, f.path), err)
	}
}

func (l *loader) fail(place string, err error) {
	l.errs = append(l.errs, fmt.Errorf("%s: %w", place, err))
}

// place is how a message says where it points. An environment variable or flag names the field by
// itself.
func place(origin, path string) string {
	if origin == envName(path) || origin == flagName(path) {
		return origin
	}
	return origin + ": " + path
}

// judge reports the faults in what was read. It is silent about fields that could not be read: they
// are reported already, and their values are not what the operator wrote.
func (l *loader) judge(faults []fault) {
	for _, f := range faults {
		text := f.text
		if f.other != "" {
			if l.origin[f.other] == "" {
				continue
			}
			text += " (" + l.origin[f.other] + ")"
		}
		if origin := l.origin[f.path]; origin != "" {
			l.fail(place(origin, f.path), errors.New(text))
		}
	}
}

// flags is what the command line said. It is read first, because it names the file, and applied
// last, because it wins.
type flags struct {
	config   string
	settings []setting
	rest     []string
}

type setting struct {
	f    field
	text string
}

func (l *loader) parseFlags(args []string) (flags, error) {
	var given flags
	set := flag.NewFlagSet("sluice", flag.ContinueOnError)
	set.SetOutput(io.Discard) // the caller prints
	set.StringVar(&given.config, "config", "", "")

	names := []string{"-config"}
	for _, f := range l.fields {
		name := flagName(f.path)
		names = append(names, name)
		keep := func(text string) error {
			given.settings = append(given.settings, setting{f, text})
			return nil
		}
		if _, ok := f.ptr.(*bool); ok {
			set.BoolFunc(name[1:], "", keep)
		} else {
			set.Func(name[1:], "", keep)
		}
	}
	err := set.Parse(args)
	given.rest = set.Args()
	if err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
			err = fmt.Errorf("%s: unknown flag%s", name, suggest(name, names))
		}
	}
	return given, err
}

// ofKubernetes matches what Kubernetes tells each container of a Service whose
// name begins with sluice: variables in our name that nobody wrote.
var ofKubernetes = regexp.MustCompile(
	`^SLUICE(_[A-Z0-9_]+)?_(SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|PORT=[a-z]+://|PORT_[0-9]+_[A-Z]+(_PROTO|_PORT|_ADDR)?=)`)

func (l *loader) env(environ []string) {
	byName := map[string]field{}
	var names []string
	for _, f := range l.fields {
		byName[envName(f.path)] = f
		names = append(names, envName(f.path))
	}
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || name == envFile {
			continue
		}
		if f, ok := byName[name]; ok {
			l.record(f, name, f.set(text))
		} else if !ofKubernetes.MatchString(entry) {
			l.fail(name, fmt.Errorf("unknown variable%s", suggest(name, names)))
		}
	}
}
