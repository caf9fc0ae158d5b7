package main

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/remux"
)

// TestHEVCReaders: what x265 made comes out as it went in, packet for packet and
// picture for picture, and FFmpeg finds the same in our header as in its own.
func TestHEVCReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes")
	}
	const hdr = "hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:" +
		"master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
	for _, c := range []struct {
		name, size, format string
		params             string // of x265
		codecs             string
	}{
		{"main", "320x180", "yuv420p", "bframes=2:open-gop=0", "hvc1.1.6.L60.90"},
		{"open groups", "320x180", "yuv420p", "bframes=3:open-gop=1", "hvc1.1.6.L60.90"},
		{"leading pictures that need nothing", "320x180", "yuv420p", "bframes=3:open-gop=0:radl=2", "hvc1.1.6.L60.90"},
		{"main 10", "320x180", "yuv420p10le", "bframes=0", "hvc1.2.4.L60.90"},
		{"PQ", "320x180", "yuv420p10le", hdr, "hvc1.2.4.L60.90"},
		{"HLG", "320x180", "yuv420p10le", "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc", "hvc1.2.4.L60.90"},
		{"cropped", "426x240", "yuv420p", "bframes=0", "hvc1.1.6.L60.90"},
		{"wide pixels", "320x180,setsar=2", "yuv420p", "range=full", "hvc1.1.6.L60.90"},
		{"4:2:2", "320x180", "yuv422p10le", "bframes=0", "hvc1.4.10.L60.9D.8"},
		{"an odd size", "318x178", "yuv420p", "bframes=0", "hvc1.1.6.L60.90"},
		{"fields", "320x192", "yuv420p", "interlace=tff", "hvc1.1.6.L60.40"},
		{"temporal layers, HRD, delimiters", "320x180", "yuv420p", "bframes=2:temporal-layers=1:hrd=1:vbv-maxrate=500:vbv-bufsize=500:bitrate=400:aud=1", "hvc1.1.6.L60.90"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			made := hevcFile(t, c.size, c.format, c.params)
			tags := erTags(t, made)
			w := played(t, tags)
			got := filepath.Join(t.TempDir(), "got.mp4")
			written(t, got, w.Renditions[0])

			text := string(hls.Multivariant(w))
			if !strings.Contains(text, `CODECS="`+c.codecs+`"`) {
				t.Errorf("the playlist says\n%s", text)
			}
			want := unitHashes(tags)
			if have := framehashes(t, got, "-c:v", "copy"); !slices.Equal(want, have) {
				t.Errorf("%d access units went in, %d came out, or others", len(want), len(have))
			}
			want = framehashes(t, made)
			if have := framehashes(t, got); !slices.Equal(want, have) {
				t.Errorf("%d pictures went in, %d came out, or others", len(want), len(have))
			}
			const show = "stream=codec_name,codec_tag_string,profile,level,width,height,pix_fmt,sample_aspect_ratio,color_range,color_space,color_transfer,color_primaries,has_b_frames"
			if theirs, ours := ffprobe(t, made, show), ffprobe(t, got, show); theirs != ours || !strings.Contains(ours, "hvc1") {
				t.Errorf("FFmpeg's own file is\n%s\nand ours\n%s", theirs, ours)
			}
			boxes := ffprobe(t, got, "stream_side_data")
			for _, fact := range []string{"max_content=1000", "max_average=400", "green_x=13250/50000", "red_y=16000/50000", "white_point_y=16450/50000", "min_luminance=1/10000"} {
				if strings.Contains(boxes, fact) != (c.name == "PQ") {
					t.Errorf("%s is not in the header, or is where it should not be:\n%s", fact, boxes)
				}
			}
		})
	}
}

// TestHEVCChanges: what comes in band comes out as what comes by record, and another
// size begins another period, whose pictures are as they went in, too.
func TestHEVCChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes")
	}
	made, large := hevcFile(t, "320x180", "yuv420p", "bframes=2"), hevcFile(t, "640x360", "yuv420p", "bframes=2")
	first, second := erTags(t, made), erTags(t, large)
	file := filepath.Join(t.TempDir(), "inband.mp4")
	written(t, file, played(t, inBand(t, first)).Renditions[0])
	if have := framehashes(t, file, "-c:v", "copy"); !slices.Equal(have, unitHashes(inBand(t, first))) {
		t.Error("in band, access units are others, or have parameter sets")
	}
	if !slices.Equal(framehashes(t, file), framehashes(t, made)) {
		t.Error("in band, pictures are others")
	}
	for i, tag := range second {
		second[i].Timestamp = tag.Timestamp + 2000
	}
	for name, tags := range map[string][]flv.Tag{
		"by record": append(slices.Clone(first), second...),
		"in band":   append(slices.Clone(first), inBand(t, second)[1:]...),
	} {
		w := played(t, tags)
		var files []string
		for _, r := range periods(w.Renditions[0]) {
			files = append(files, filepath.Join(t.TempDir(), "got.mp4"))
			written(t, files[len(files)-1], r)
		}
		if len(files) != 2 {
			t.Fatalf("%s: %d periods", name, len(files))
		}
		for i, went := range []string{made, large} {
			if !slices.Equal(framehashes(t, files[i]), framehashes(t, went)) {
				t.Errorf("%s: pictures of period %d are others", name, i)
			}
		}
	}
}

// inBand are tags whose parameter sets are in keyframes, and whose record has none.
func inBand(t *testing.T, tags []flv.Tag) (out []flv.Tag) {
	t.Helper()
	record := tags[0].Body[5:]
	box, err := hevc.DecodeHEVCDecConfRec(record)
	if err != nil {
		t.Fatal(err)
	}
	var sets []byte
	for _, a := range box.NaluArrays {
		for _, nal := range a.Nalus {
			sets = append(binary.BigEndian.AppendUint32(sets, uint32(len(nal))), nal...)
		}
	}
	for i, tag := range tags {
		switch {
		case i == 0:
			tag.Body = append(slices.Clone(tag.Body[:5+22]), 0)
		case tag.Body[0] == 0x91:
			tag.Body = slices.Concat(tag.Body[:8], sets, tag.Body[8:])
		}
		out = append(out, tag)
	}
	return out
}

// periods are a rendition, once for each period, with the segments of that.
func periods(r packager.Rendition) (list []packager.Rendition) {
	for _, s := range r.Segments {
		if n := len(list); n == 0 || list[n-1].Header != s.Header {
			list = append(list, packager.Rendition{Header: s.Header})
		}
		last := &list[len(list)-1]
		last.Segments = append(last.Segments, s)
	}
	return list
}

// hevcFile is two seconds of HEVC by x265, as FFmpeg puts it into fragments.
func hevcFile(t *testing.T, size, format, params string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.mp4")
	program(t, "ffmpeg", "-f", "lavfi", "-i", "testsrc2=r=30:s="+size, "-t", "2", "-pix_fmt", format, "-c:v", "libx265", "-preset", "ultrafast",
		"-x265-params", "log-level=none:pools=1:keyint=20:"+params, "-tag:v", "hvc1", "-movflags", "frag_keyframe+empty_moov+default_base_moof", path)
	return path
}

// erTags are the tags by which an encoder sends what is in a file: by Enhanced RTMP.
func erTags(t *testing.T, path string) (tags []flv.Tag) {
	t.Helper()
	f, err := mp4.ReadMP4File(path)
	if err != nil {
		t.Fatal(err)
	}
	trak, trex := f.Init.Moov.Trak, f.Init.Moov.Mvex.Trex
	scale := func(ticks int64) int64 { return ticks * 1000 / int64(trak.Mdia.Mdhd.Timescale) }
	var record bytes.Buffer
	if err := trak.Mdia.Minf.Stbl.Stsd.HvcX.HvcC.DecConfRec.Encode(&record); err != nil {
		t.Fatal(err)
	}
	const config, key, inter = 0x90, 0x91, 0xA1
	tags = append(tags, flv.Tag{Type: flv.TagVideo, Body: append([]byte{config, 'h', 'v', 'c', '1'}, record.Bytes()...)})
	for _, segment := range f.Segments {
		for _, fragment := range segment.Fragments {
			samples, err := fragment.GetFullSamples(trex)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				first := byte(inter)
				if mp4.IsSyncSampleFlags(s.Flags) {
					first = key
				}
				at := int64(s.DecodeTime)
				composition := uint32(scale(at+int64(s.CompositionTimeOffset)) - scale(at))
				body := binary.BigEndian.AppendUint32([]byte{first, 'h', 'v', 'c'}, '1'<<24|composition&0xFFFFFF)
				tags = append(tags, flv.Tag{Type: flv.TagVideo, Timestamp: uint32(scale(at)), Body: append(body, s.Data...)})
			}
		}
	}
	return tags
}

// unitHashes are those of the access units in tags, without parameter sets.
func unitHashes(tags []flv.Tag) (list []string) {
	for _, tag := range tags[1:] {
		sum := md5.New()
		for b := tag.Body[8:]; len(b) > 0; {
			end := 4 + int(binary.BigEndian.Uint32(b))
			if kind := b[4] >> 1; kind < 32 || kind > 34 {
				sum.Write(b[:end])
			}
			b = b[end:]
		}
		list = append(list, fmt.Sprintf("%x", sum.Sum(nil)))
	}
	return list
}

// played is the window at the end of a stream.
func played(t *testing.T, tags []flv.Tag) *packager.Window {
	t.Helper()
	name, err := packager.ParseStreamName("live", "hevc")
	if err != nil {
		t.Fatal(err)
	}
	catalog := packager.NewCatalog(packager.Settings{
		Segments: 100, SegmentMinDuration: time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: 500 * time.Millisecond,
	}, time.Now)
	p, err := catalog.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := catalog.Lookup(name)
	m := remux.New(p, time.Now, remux.Hooks{Note: func(text string) {
		if !strings.Contains(text, "HEVC only where") && !strings.Contains(text, "HEVC beyond") { // what browsers make of it
			t.Errorf("it is said: %s", text)
		}
	}})
	for _, tag := range tags {
		if err := m.WriteTag(tag); err != nil {
			t.Fatal(err)
		}
	}
	m.Close(nil)
	return s.Window()
}

// written writes a rendition of one period to a file.
func written(t *testing.T, path string, r packager.Rendition) {
	t.Helper()
	file := bytes.Clone(r.Header.Bytes)
	for _, s := range r.Segments {
		if s.Header != r.Header {
			t.Fatal("more than one period")
		}
		for _, p := range s.Parts {
			file = append(file, p.Bytes...)
		}
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// framehashes are those of the packets that FFmpeg makes of the picture in a file.
func framehashes(t *testing.T, path string, args ...string) (list []string) {
	t.Helper()
	args = slices.Concat([]string{"-i", path, "-map", "0:v", "-fps_mode", "passthrough"}, args, []string{"-f", "framemd5", "-"})
	for line := range strings.Lines(program(t, "ffmpeg", args...)) {
		if !strings.HasPrefix(line, "#") {
			list = append(list, strings.TrimSpace(strings.Split(line, ",")[5])) // what is beside it may follow
		}
	}
	return list
}

func ffprobe(t *testing.T, path, show string) string {
	t.Helper()
	return program(t, "ffprobe", "-select_streams", "v:0", "-show_entries", show, "-of", "default=noprint_wrappers=1", path)
}

// needs skips a test where a program isn't here, which continuous integration has: it
// is not to be green without.
func needs(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	const missing = "%s is missing: make deps installs it, or says how"
	if os.Getenv("CI") != "" {
		t.Fatalf(missing, name)
	}
	t.Skipf(missing, name)
}

// program runs one of FFmpeg.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	needs(t, name)
	args = append([]string{"-hide_banner", "-v", "error"}, args...)
	var complaints strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatal(fmt.Errorf("%v: %w\n%s", cmd.Args, err, &complaints))
	}
	return string(out)
}
