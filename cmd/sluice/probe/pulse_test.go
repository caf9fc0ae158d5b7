package probe

import (
	"encoding/binary"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager/cmaf"
)

// unwell is a recording whose keyframes are 5 s apart, and whose frames are shown 0.4 s
// later than they are decoded.
func unwell(t *testing.T) presentation {
	header, err := cmaf.Header(tracks["v1"], 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	const each, count, size = 18_000, 25, 250 // 5 fps
	p := presentation{"/v1/header.mp4": string(header)}
	list, at := "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:5\n#EXT-X-MAP:URI=\"v1/header.mp4\"\n", time.Now()
	for n := range 2 {
		samples := make([]cmaf.Sample, count)
		var data []byte
		for i := range samples {
			samples[i] = cmaf.Sample{Duration: each, Size: size, CompositionOffset: 2 * each}
			unit := append(binary.BigEndian.AppendUint32(nil, size-4), make([]byte, size-4)...)
			unit[4] = 0x41 // a slice
			if i == 0 {
				samples[i].Flags, unit[4] = cmaf.Sync, 0x65 // of an IDR picture
			} else {
				samples[i].Flags = cmaf.NonSync
			}
			data = append(data, unit...)
		}
		f := cmaf.Fragment{Sequence: uint32(n), DecodeTime: int64(n * count * each), StartsSegment: true, SamplesPayload: count * size}
		p[fmt.Sprintf("/v1/%d.m4s", n)] = string(append(f.Append(nil, samples), data...))
		list += fmt.Sprintf("#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:5,\nv1/%d.m4s\n", at.Add(time.Duration(5*n)*time.Second).UTC().Format("2006-01-02T15:04:05.000Z"), n)
	}
	p["/v1.m3u8"] = list + "#EXT-X-ENDLIST\n"
	p["/index.mpd"] = `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S" maxSegmentDuration="PT6S"><Period id="p">` +
		adaptationSet("v1", "video", `<SegmentTemplate timescale="90000" startNumber="0" presentationTimeOffset="36000" media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/header.mp4">`+
			`<SegmentTimeline><S t="36000" d="450000" r="1"/></SegmentTimeline></SegmentTemplate>`) + `</Period></MPD>`
	return p
}

// What is wrong with how frames come is said as the API of sluice says it, with what to
// set; and where nothing is, that.
func TestProbeHealth(t *testing.T) {
	server := httptest.NewServer(unwell(t))
	t.Cleanup(server.Close)
	well := httptest.NewServer(record(t, 3, 0))
	defer well.Close()
	for _, c := range []struct{ name, url string }{{"DASH", server.URL + "/index.mpd"}, {"HLS", server.URL + "/v1.m3u8"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkProbe(t, c.url, "7s", false, []string{
				"health warning, keyframes_far: video 1: keyframes come every 5 s", "set the keyframe interval to 2 s",
				"OBS: Settings → Output (Advanced) → Streaming → Keyframe Interval: 2 s", "ffmpeg: -force_key_frames 'expr:gte(t,n_forced*2)'",
				"health notice, b_frames: video 1: B-frames delay the picture by 0.4 s",
			})
		})
	}
	checkProbe(t, well.URL+"/index.mpd", "5s", false, []string{"health nothing to say"})
}

// Frames are judged where they follow each other: what lies in a hole isn't known.
func TestPulse(t *testing.T) {
	second := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	tr := &track{name: "v1", report: newReport("", nil)}
	for i := range 300 { // 30 fps
		at := second(float64(i) / 30)
		if i >= 150 {
			at += second(60)
		}
		tr.addFrame(at, 0, i%150 == 0)
	}
	if all := tr.advice(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
	tr = &track{name: "v1", report: newReport("", nil)}
	for i := range 300 { // unevenly, and without a second keyframe
		tr.addFrame(second(float64(i)/20+float64(i%2)/30), 0, i == 0)
	}
	var codes []string
	for _, a := range tr.advice() {
		codes = append(codes, string(a.Code))
	}
	if got := strings.Join(codes, " "); got != "keyframes_far frame_rate_unsteady" {
		t.Error(got)
	}
}
