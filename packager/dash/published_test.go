package dash_test

import (
	"regexp"
	"testing"

	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
)

// A manifest whose content changes was published at another time: also where a picture
// goes away, and what was foreseen of it is listed no more.
func TestPublishTimeChangesWithTheContent(t *testing.T) {
	f := packagertest.New(t)
	for range 8 {
		f.GOP(60)
	}
	published := regexp.MustCompile(` publishTime="[^"]*"`)
	before, at := "", ""
	changes := 0
	look := func() {
		t.Helper()
		b, err := dash.MPD(f.Stream.Window())
		if err != nil {
			t.Fatal(err)
		}
		now := published.FindString(string(b))
		content := published.ReplaceAllString(string(b), "")
		if before != "" && content != before {
			if changes++; now == at {
				t.Fatalf("it was%s\n%s\nand is\n%s", now, before, content)
			}
		}
		before, at = content, now
	}
	for i := range 300 {
		f.Still = i > 40 && i < 200
		f.GOP(1)
		look()
	}
	if changes < 4 {
		t.Errorf("%d changes", changes)
	}
}
