package remux

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what silence is to testdata")

// silentAAC is silence for the decoder that a configuration describes.
func silentAAC(config []byte) (unit []byte, ok bool) {
	c, err := parseAudioConfig(config)
	if err != nil {
		return nil, false
	}
	return silentUnit(c.elements), true
}

// TestSilentAAC: the units are those that the end-to-end tests have ffmpeg decode
// (TestSilenceAlone, TestSilenceBetween).
func TestSilentAAC(t *testing.T) {
	const path = "testdata/silence.txt"
	list, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			got.WriteString(line)
			continue
		}
		var name, config, unit string
		var channels int
		if _, err := fmt.Sscan(line, &name, &channels, &config, &unit); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		b, ok := silentAAC(unhex(config))
		if !ok {
			t.Errorf("%s: no silence", name)
		}
		fmt.Fprintf(&got, "%s %d %s %x\n", name, channels, config, b)
	}
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(list) {
		t.Errorf("silence is not what %s says (-update writes it):\n%s", path, got.String())
	}
	// Configuration 14 is unknown to the ffmpeg of those tests.
	if b, ok := silentAAC(unhex("11f0")); !ok || !bytes.Equal(b, unhex("00c80001080019032023000320640c19000025000320641c")) {
		t.Errorf("silence of 7.1 with top is %x", b)
	}
	for _, config := range []string{"", "11", "0990", "118004c844", "11c0", "4f757573"} {
		if b, ok := silentAAC(unhex(config)); ok {
			t.Errorf("%s: a unit of %d bytes for no AAC", config, len(b))
		}
	}
}

// TestSilenceWithItsProgram: where access units say how their elements are
// arranged, so do those of silence.
func TestSilenceWithItsProgram(t *testing.T) {
	c, err := newAAC(unhex("118004c844002000c400"))
	if err != nil {
		t.Fatal(err)
	}
	want := append(bytes.Clone(c.program), unhex("21000320640019000002c800011800190320e0")...)
	if got := c.silence(); len(c.program) == 0 || !bytes.Equal(got, want) {
		t.Errorf("%x", got)
	}
}
