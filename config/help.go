package config

import (
	"fmt"
	"io"
	"strconv"
)

// Help writes what -help shows: every flag by section, with its default.
func Help(w io.Writer) {
	fmt.Fprintf(w, `Flags win over the environment, the environment over the file, the file over
the defaults. Each flag is also a key of the file and an environment variable:
-rtmp-addr is addr under rtmp, and SLUICE_RTMP_ADDR. Durations are written 2s
or 500ms, sizes 64KiB or 16MiB, lists a,b,c.

  -config FILE  file to read, also SLUICE_CONFIG (default %s if it exists)
`, defaultFile)

	defaults := Default()
	list := fieldsOf(&defaults)
	width := 0
	for _, f := range list {
		width = max(width, len(flagName(f.path)))
	}
	section := ""
	for _, f := range list {
		if f.section != section {
			section = f.section
			fmt.Fprintf(w, "\n%s\n", section)
		}
		value := f.String()
		if _, ok := f.ptr.(*string); ok {
			value = strconv.Quote(value) // so that empty can be seen
		}
		fmt.Fprintf(w, "  %-*s  %s (default %s)\n", width, flagName(f.path), f.usage, value)
	}
}
