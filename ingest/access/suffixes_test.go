package access

import "testing"

func TestSuffixes(t *testing.T) {
	all := Suffixes{"_1080p", "_720p", "0p"} // the last two are more than a configuration may have
	for name, want := range map[string]struct {
		stream, suffix string
		place          int
	}{
		"live/cam1":             {"live/cam1", "", -1},
		"live/cam1_720p":        {"live/cam1", "_720p", 1},
		"cam1_1080p":            {"cam1", "_1080p", 0},
		"cam_7200p":             {"cam_720", "0p", 2},
		"cam1_720p_720p":        {"cam1_720p", "_720p", 1},
		"_720p":                 {"_720p", "", -1},
		"live/0p":               {"live/0p", "", -1},
		"0p":                    {"0p", "", -1},
		"live/cam1_720P":        {"live/cam1_720P", "", -1},
		"":                      {"", "", -1},
		"live/cam1_1080p_other": {"live/cam1_1080p_other", "", -1},
	} {
		stream, suffix, place := all.Cut(name)
		if stream != want.stream || suffix != want.suffix || place != want.place {
			t.Errorf("%s: %q, %q, %d; want %v", name, stream, suffix, place, want)
		}
		if stream+suffix != name {
			t.Errorf("%s: %q and %q", name, stream, suffix)
		}
	}
	if stream, suffix, place := Suffixes(nil).Cut("live/cam1_720p"); stream != "live/cam1_720p" || suffix != "" || place != -1 {
		t.Errorf("without any: %q, %q, %d", stream, suffix, place)
	}
}
