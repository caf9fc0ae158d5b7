package gate

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/packager"
)

// What is wrong with a stream is logged once when it comes, and once when it is over.
func TestAilmentsAreLoggedOnce(t *testing.T) {
	var b bytes.Buffer
	log, all := zerolog.New(&b), make(ailments)
	name, _ := packager.ParseStreamName("live", "cam1")
	for range 3 {
		all.see(name, []string{"no sound"}, log)
	}
	for range 3 {
		all.see(name, nil, log)
	}
	text := b.String()
	if strings.Count(text, "unwell") != 1 || strings.Count(text, "well again") != 1 || strings.Count(text, "no sound") != 2 {
		t.Errorf("logged:\n%s", text)
	}
	if len(all) != 0 {
		t.Errorf("%d streams are remembered", len(all))
	}
}
