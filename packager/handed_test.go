package packager

import (
	"bytes"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sluice-live/sluice/remux"
)

// anew are the fields of a publication that are not handed over as they are, by the
// beginnings of their paths, and why. All others go: who adds a field hands it over, or has
// a reason.
var anew = map[string]string{
	"common.change":                 "of the newest Window: at rest nothing has changed since",
	"captions":                      "of the encoders: who comes is heard again",
	"begun":                         "in the Window",
	"writers.id":                    "in the Window",
	"writers.frameRate":             "in the Window",
	"writers.msn":                   "in the Window",
	"writers.part.number":           "in the Window",
	"writers.shelf.listed":          "in the Window",
	"common.retention.extent":       "in the Window",
	"writers.part.timescale":        "in the header",
	"common.beat.number":            "no less than the writers'",
	"common.retention.listed":       "no more than the settings say",
	"common.retention.most":         "a setting",
	"common.beat.cutter.segmentMin": "a setting",
	"common.beat.cutter.partEarly":  "a setting",
	"common.beat.partDuration":      "a setting",
	"writers.part.perFrame":         "a setting",
	"common.beat.cutter.spare":      "of the period",
	"common.beat.first":             "of the period",
	"common.beat.head":              "of the period",
	"common.beat.led":               "of the period",
	"common.beat.began":             "of the period",
	"common.beat.opened":            "of the period",
	"common.beat.hidden":            "of the period",
	"common.beat.keyed":             "of the period",
	"common.beat.apart":             "of the period",
	"common.beat.dependent":         "of the period",
	"common.beat.refuted":           "of the period",
	"common.beat.paced":             "of the period",
	"common.beat.calm":              "of the period",
	"common.beat.pictured":          "of the period",
	"writers.absence":               "of the period",
	"writers.foresight":             "of the period",
	"writers.group":                 "of the period",
	"writers.joined":                "of the period",
	"writers.leads":                 "of the period",
	"writers.preroll":               "of the period",
	"writers.step":                  "of the period: keyframes are looked at again",
	"writers.newest.early":          "of a sample that is written",
	"writers.newest.pending":        "of a sample that is written",
	"writers.newest.pends":          "of a sample that is written",
	"writers.newest.sealed":         "of a sample that is written",
	"writers.part.before":           "what to expect of a part: learned again",
	"writers.part.draft":            "of the open part, which there isn't",
	"writers.part.dts":              "of the open part",
	"writers.part.settled":          "of the open part",
	"writers.part.early":            "of the open part",
	"writers.part.tail":             "of the open part",
	"writers.part.sync":             "of the open part",
}

// why is the reason of a path, and the beginning that it has it from.
func why(path string) (beginning, reason string) {
	for beginning, reason := range anew {
		if strings.HasPrefix(path, beginning) {
			return beginning, reason
		}
	}
	return "", ""
}

// TestHandedOrAnew changes each number of a stream at rest, hands the stream over, and looks
// whether it came.
func TestHandedOrAnew(t *testing.T) {
	used := map[string]bool{}
	for path := range numbersOf(reflect.ValueOf(atRest(t)).Elem(), "") {
		p := atRest(t)
		field := numbersOf(reflect.ValueOf(p).Elem(), "")[path]
		bump(field)
		want := field.Interface()
		got := numbersOf(reflect.ValueOf(trip(t, p)).Elem(), "")[path].Interface()
		beginning, reason := why(path)
		used[beginning] = true
		if got != want && reason == "" {
			t.Errorf("%s was %v and is %v: hand it over, or say why it begins anew", path, want, got)
		}
	}
	for beginning := range anew {
		if !used[beginning] {
			t.Errorf("there is no %s any more", beginning)
		}
	}
}

// numbersOf are all numbers, truths and texts of a struct, by their paths. Of a list it is
// the first element's.
func numbersOf(v reflect.Value, path string) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	switch v.Kind() {
	case reflect.Struct:
		if v.Type().PkgPath() == "sync" || v.Type() == reflect.TypeFor[time.Time]() {
			break
		}
		for i := range v.NumField() {
			f := v.Field(i)
			name := strings.TrimPrefix(path+"."+v.Type().Field(i).Name, ".")
			maps.Copy(all, numbersOf(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(), name))
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]*writer]() && v.Len() > 0 {
			maps.Copy(all, numbersOf(v.Index(0).Elem(), path))
		}
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Interface, reflect.Array, reflect.Chan:
	default:
		all[path] = v
	}
	return all
}

// bump makes it another value, which is as likely as the one before.
func bump(v reflect.Value) {
	switch {
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	case v.CanFloat():
		v.SetFloat(v.Float() + 1)
	case v.Kind() == reflect.Bool:
		v.SetBool(true) // what doesn't come is false
	case v.Kind() == reflect.String:
		v.SetString(v.String() + "x")
	}
}

// atRest is the publication of a stream that waits for its encoder.
func atRest(t *testing.T) *publication {
	t.Helper()
	c := NewCatalog(Settings{Segments: 4, SegmentMinDuration: time.Second, SegmentMaxDuration: 4 * time.Second, PartDuration: 200 * time.Millisecond, Grace: time.Minute}, time.Now)
	name, err := ParseStreamName("live", "rests")
	if err != nil {
		t.Fatal(err)
	}
	by, err := c.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	codec := &remux.H264{SPS: [][]byte{{0x67, 100, 0, 31}}, PPS: [][]byte{{0x68}}}
	if err := by.SetTracks([]remux.Track{{Codec: codec, Timescale: 90000}}); err != nil {
		t.Fatal(err)
	}
	for k := range int64(300) {
		if err := by.WriteSample(&remux.Sample{DTS: time.Now().Unix()*90000 + k*3000, Duration: 3000, Sync: k%30 == 0, Data: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	by.Close(errNotAtRest)
	return c.entries[name].publication
}

// trip hands a publication over, as Catalog.HandOver and Catalog.Adopt do.
func trip(t *testing.T, p *publication) *publication {
	t.Helper()
	h := &hander{headers: make(map[*Header]int), periods: make(map[*Period]int)}
	h.Format, h.Known = handoverFormat, true
	h.window(p.stream.Window(), p)
	h.publication(p)
	h.Segments = len(h.segments)
	var b bytes.Buffer
	if err := h.write(&b); err != nil {
		t.Fatal(err)
	}
	in, err := receive(&b)
	if err != nil {
		t.Fatal(err)
	}
	s := newStream(p.stream.name)
	s.window.Store(in.stand(p.stream.name))
	return in.publish(s, p.set, p.now)
}
