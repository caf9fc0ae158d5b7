package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/config"
)

// F25: a stranger's text is one value on one line, whatever is in it and however
// the log is written: it ends no line, begins no field, and moves no terminal.
func TestF25LogIsEscaped(t *testing.T) {
	const evil = "x\n{\"level\":\"error\"}\r\x1b[2J\x1b]0;t\a level=error \"cause\":\u202e\x00\x9b31m"
	for _, format := range []string{"console", "json"} {
		var out bytes.Buffer
		log := logger(config.Log{Level: "debug", Format: format}, &out)
		log.Info().Str("software", evil).AnErr("cause", errors.New(evil)).Err(errors.New(evil)).Strs("names", []string{evil}).Interface("panic", evil).Msg("connection closed")
		text := out.String()
		if strings.Count(text, "\n") != 1 || strings.ContainsFunc(strings.TrimSuffix(text, "\n"), func(r rune) bool { return r < ' ' || r == 0x9b }) {
			t.Errorf("%s: %q", format, text)
		}
	}
}

// A duration in the log has a unit: zerolog's own field for it is a bare number.
func TestDurationsHaveUnits(t *testing.T) {
	for _, room := range []string{"../../cmd", "../../ingest", "../../remux", "../../packager", "../../httpserve"} {
		err := filepath.WalkDir(room, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if strings.Contains(string(text), ".Dur(") {
				t.Errorf("%s logs by Dur: take Stringer", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
