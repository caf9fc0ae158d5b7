package gate

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
)

// What is wrong with a stream is logged once when it comes, and once when it is over.
func TestAilmentsAreLoggedOnce(t *testing.T) {
	var b bytes.Buffer
	log, all, told := zerolog.New(&b), ailments{}, 0
	tell := func(admin.Event) { told++ }
	name, _ := packager.ParseStreamName("live", "cam1")
	for range 3 {
		all.see(name, []health.Advice{{Text: "no sound"}}, log, tell)
	}
	for range 3 {
		all.see(name, nil, log, tell)
	}
	text := b.String()
	if strings.Count(text, "unwell") != 1 || strings.Count(text, "well again") != 1 || strings.Count(text, "no sound") != 2 {
		t.Errorf("logged:\n%s", text)
	}
	if len(all.now) != 0 || told != 2 {
		t.Errorf("%d streams are remembered, %d events told", len(all.now), told)
	}
}
