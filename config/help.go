package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Help writes what -help shows: every flag by section, with its default, in the words of
// sluice.yaml.
func Help(w io.Writer) {
	fmt.Fprintf(w, `Flags win over the environment, the environment over the file, the file over
the defaults, which are shown here. Each flag is also a key of the file and an
environment variable: -rtmp-addr is addr under rtmp, and SLUICE_RTMP_ADDR.
Durations are written 2s or 500ms, sizes 64KiB or 16MiB, lists a,b,c. An empty
address is off. config/sluice.yaml says more of each.

  -config FILE  file to read, also SLUICE_CONFIG (default %s if it exists)
`, defaultFile)

	c := Default()
	group := ""
	for _, f := range fieldsOf(&c) {
		if f.group != group {
			group = f.group
			fmt.Fprintln(w)
			if group != "" {
				fmt.Fprintln(w, wrap(group+": "+short(told()[group]), ""))
			}
		}
		value := f.String()
		if _, ok := f.ptr.(*string); ok {
			value = strconv.Quote(value) // so that empty can be seen
		}
		fmt.Fprintf(w, "%s\n%s\n", strings.TrimRight("  "+flagName(f.path)+" "+value, " "), wrap(short(told()[f.path]), "        "))
	}
}

// wrap breaks a text into lines that begin with an indent.
func wrap(text, indent string) string {
	const width = 90
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+len(word) > width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
