package health

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// rule is what is looked for.
type rule struct {
	code     Code
	severity Severity
	when     string // for docs/health.md
	obs      string
	ffmpeg   string
	plain    bool // it needs no patience: it is so, or it isn't

	// find returns what there is of it. has tells whether there was something of that
	// key before: less is enough then.
	find func(p *Patient, has func(key string) bool) []symptom
}

// rules are all of them, in the order of docs/health.md.
var rules = []rule{
	{
		code: "no_picture", severity: Bad, plain: true,
		when: "no frame of the picture has come for 10 s, while the sound goes on",
		obs:  "Look whether the scene has a source that moves, and at View → Stats", ffmpeg: "Look whether the input still delivers a picture",
		find: func(p *Patient, _ func(string) bool) []symptom { return absent(p, remux.Video) },
	},
	{
		code: "no_sound", severity: Bad, plain: true,
		when: "no sound has come for 10 s, while the picture goes on",
		obs:  "Audio Mixer: the source is there and not muted", ffmpeg: "Look whether the input still delivers sound; -f lavfi -i anullsrc is a silent one",
		find: func(p *Patient, _ func(string) bool) []symptom { return absent(p, remux.Audio) },
	},
	{
		code: "left_out", severity: Bad, plain: true,
		when: "a track can't be given to viewers; the sentence says why",
		obs:  "Settings → Output → Streaming: Video Encoder x264 or another H.264, Audio Encoder AAC", ffmpeg: "-c:v libx264 -pix_fmt yuv420p -c:a aac",
		find: func(p *Patient, _ func(string) bool) []symptom { return leftOut(p, true) },
	},
	{
		code: "plays_in_few", severity: Warning, plain: true,
		when: "not all browsers play what is sent, or can join it; the sentence says which",
		obs:  "Settings → Output → Streaming: Video Encoder x264 or another H.264, Audio Encoder AAC", ffmpeg: "-c:v libx264 -pix_fmt yuv420p -c:a aac",
		find: func(p *Patient, _ func(string) bool) []symptom { return leftOut(p, false) },
	},
	{
		code: "publishers", severity: Warning, plain: true,
		when: "those who publish a stream together don't agree, or one of them is gone; the sentence says what",
		obs:  "Settings → Output (Advanced) → Streaming → Keyframe Interval: the same in all encoders", ffmpeg: "-force_key_frames 'expr:gte(t,n_forced*2)' in all commands, or one command for all qualities",
		find: func(p *Patient, _ func(string) bool) (all []symptom) {
			for _, text := range p.Between {
				all = append(all, symptom{key: text, text: text})
			}
			return all
		},
	},
	{
		code: "too_slow", severity: Bad,
		when:   "less than 0.95 s of media comes in a second, over 20 s",
		obs:    "View → Stats: where frames are dropped for the network, lower Settings → Output → Video Bitrate; where encoding lags, lower the resolution or choose a faster preset",
		ffmpeg: "Look at speed=: below 1x, choose a faster -preset or a smaller picture (-vf scale); at 1x, the network is too slow: lower -b:v and -maxrate",
		find: func(p *Patient, has func(string) bool) []symptom {
			pace := p.Measure.Pace
			if pace == 0 || pace >= pick(has(""), 0.98, 0.95) {
				return nil
			}
			return one("", 1-pace, "the encoder sends %.2f s of media a second: viewers run out of it; the network or the encoder's machine is too slow for the bit rate, the size or the frame rate that is set", pace)
		},
	},
	{
		code: "too_fast", severity: Bad,
		when: "more than 1.1 s of media comes in a second, over 20 s",
		obs:  "OBS doesn't do that: restart it", ffmpeg: "-re before -i: a file is then sent as fast as it plays",
		find: func(p *Patient, has func(string) bool) []symptom {
			pace := p.Measure.Pace
			if pace <= pick(has(""), 1.05, 1.1) {
				return nil
			}
			return one("", pace-1, "the encoder sends %.1f s of media a second: live viewers can't follow; let it send in real time", pace)
		},
	},
	{
		code: "network_stalls", severity: Warning,
		when: "within a minute, nothing came for more than a second twice, or once for more than 3 s, and then all at once",
		obs:  "Settings → Output → Video Bitrate: less; Settings → Advanced → Network: Dynamically change bitrate to manage congestion", ffmpeg: "Lower -b:v and -maxrate; use a cable",
		find: func(p *Patient, has func(string) bool) []symptom {
			m := &p.Measure
			if m.Stalls == 0 || !has("") && m.Stalls < 2 && m.Longest < 3*time.Second {
				return nil
			}
			return one("", float64(m.Stalls), "the encoder's network stood still %s in the last minute, for up to %s: viewers who are nearer to live than that stall; lower the bit rate, or use a better network", times(m.Stalls), seconds(m.Longest))
		},
	},
	{
		code: "network_jitter", severity: Notice,
		when: "frames come up to 0.5 s later than others, by their timestamps",
		obs:  "Settings → Output → Video Bitrate: less; use a cable", ffmpeg: "Lower -b:v and -maxrate, set -bufsize to one second of it; use a cable",
		find: func(p *Patient, has func(string) bool) []symptom {
			m := &p.Measure
			if m.Stalls > 0 || m.Pace < 0.97 || m.Pace > 1.05 || m.Jitter <= pick(has(""), 300*time.Millisecond, 500*time.Millisecond) {
				return nil
			}
			return one("", m.Jitter.Seconds(), "frames come up to %s late: viewers with low latency may stall; use a better network, or spread large frames by a bit rate that is constant", seconds(m.Jitter))
		},
	},
	{
		code: "keyframes_far", severity: Warning,
		when: "keyframes are more than 4.5 s apart",
		obs:  "Settings → Output (Advanced) → Streaming → Keyframe Interval: 2 s", ffmpeg: "-force_key_frames 'expr:gte(t,n_forced*2)'",
		find: perTrack(func(p *Patient, t *remux.TrackMeasure, had bool) (float64, string) {
			apart := apartBy(t)
			if apart <= pick(had, 4100*time.Millisecond, 4500*time.Millisecond) {
				return 0, ""
			}
			return apart.Seconds(), fmt.Sprintf("keyframes come every %s: viewers wait for one to begin, and latency grows with them; set the keyframe interval to 2 s", seconds(apart))
		}),
	},
	{
		code: "keyframes_uneven", severity: Notice,
		when: "3 of the last 8 groups of pictures, or more, are a fifth shorter or longer than the one before",
		obs:  "Settings → Output (Advanced) → Streaming → x264 Options: scenecut=0", ffmpeg: "-sc_threshold 0, with a keyframe interval (-g) of 2 s",
		find: perTrack(func(p *Patient, t *remux.TrackMeasure, had bool) (float64, string) {
			n, shortest, longest := uneven(t.Keys)
			if len(t.Keys) < 5 || n < pick(had, 2, 3) {
				return 0, ""
			}
			return 1, fmt.Sprintf("keyframes come %s to %s apart: segments can't be of one length, and DASH viewers learn of each late; switch keyframes at scene changes off", seconds(shortest), seconds(longest))
		}),
	},
	{
		code: "keyframes_undivided", severity: Notice,
		when: "the duration of segments (window.segment_min_duration) is no multiple of the keyframe interval, so that they last a fifth longer, or more",
		obs:  "Settings → Output (Advanced) → Streaming → Keyframe Interval: 2 s, or 1 s", ffmpeg: "-force_key_frames 'expr:gte(t,n_forced*2)'",
		find: perTrack(func(p *Patient, t *remux.TrackMeasure, had bool) (float64, string) {
			n, _, _ := uneven(t.Keys)
			apart := apartBy(t)
			if n > 0 || len(t.Keys) < 2 || p.Segment <= 0 || apart <= 0 || apart >= p.Segment {
				return 0, ""
			}
			last := time.Duration(math.Ceil(float64(p.Segment)/float64(apart)-0.02)) * apart
			if float64(last) <= pick(had, 1.1, 1.2)*float64(p.Segment) {
				return 0, ""
			}
			return last.Seconds(), fmt.Sprintf("keyframes come every %s, and segments are to last %s: they end at keyframes, and last %s; set the keyframe interval to %s, or to a half of that", seconds(apart), seconds(p.Segment), seconds(last), seconds(p.Segment))
		}),
	},
	{
		code: "frame_rate_low", severity: Warning,
		when: "less than 85 % of the frames that the encoder states come",
		obs:  "View → Stats: where frames are missed or skipped, lower Settings → Video → Output Resolution or FPS, or choose a faster preset", ffmpeg: "Look at speed= and drop=: choose a faster -preset, or lower -r",
		find: perTrack(func(p *Patient, t *remux.TrackMeasure, had bool) (float64, string) {
			if t.Frames <= 0 || t.StatedFrames < 5 || t.StatedFrames > 300 || t.Frames >= pick(had, 0.93, 0.85)*t.StatedFrames {
				return 0, ""
			}
			return t.Frames, fmt.Sprintf("the encoder states %s frames a second, and sends %s: its machine doesn't keep up, or the camera is slower (in the dark); lower what is set", short(t.StatedFrames), short(t.Frames))
		}),
	},
	{
		code: "frame_rate_unsteady", severity: Notice,
		when: "a quarter of the frames, or more, don't come at the usual distance",
		obs:  "Settings → Video → Common FPS Values: that of the camera; View → Stats", ffmpeg: "-fps_mode cfr -r 30",
		find: perTrack(func(p *Patient, t *remux.TrackMeasure, had bool) (float64, string) {
			if t.Uneven <= pick(had, 0.12, 0.25) {
				return 0, ""
			}
			return t.Uneven, fmt.Sprintf("frames come unevenly, %s a second on average: motion stutters, and parts differ in length; set a constant frame rate", short(t.Frames))
		}),
	},
	{
		code: "bitrate_over", severity: Warning,
		when: "the picture takes half as much again as the encoder states, or more, over a minute",
		obs:  "Settings → Output → Streaming → Rate Control: CBR", ffmpeg: "-maxrate as -b:v, and -bufsize twice that",
		find: perTrack(func(p *Patient, t *remux.TrackMeasure, had bool) (float64, string) {
			if t.StatedRate < 50_000 || float64(t.Rate) <= pick(had, 1.3, 1.5)*float64(t.StatedRate) {
				return 0, ""
			}
			return float64(t.Rate), fmt.Sprintf("the encoder states %s, and sends %s: players choose by what is stated, and stall; set a constant bit rate", bits(t.StatedRate), bits(t.Rate))
		}),
	},
	{
		code: "sound_early", severity: Warning,
		when: "sound comes more than 0.3 s before the picture of its time",
		obs:  "Edit → Advanced Audio Properties → Sync Offset: 0 ms for all", ffmpeg: "Take out -itsoffset; read picture and sound from one input",
		find: func(p *Patient, has func(string) bool) []symptom { return apart(p, has, 1) },
	},
	{
		code: "sound_late", severity: Warning,
		when: "sound comes more than 0.3 s after the picture of its time",
		obs:  "Edit → Advanced Audio Properties → Sync Offset: 0 ms for all", ffmpeg: "Take out -itsoffset; read picture and sound from one input",
		find: func(p *Patient, has func(string) bool) []symptom { return apart(p, has, -1) },
	},
	{
		code: "clock_drift", severity: Notice,
		when: "over two minutes, the encoder's clock goes wrong by more than 300 millionths",
		obs:  "Settings → Audio → Sample Rate: that of the sound card (48 kHz)", ffmpeg: "-use_wallclock_as_timestamps 1 before -i, or -af aresample=async=1",
		find: func(p *Patient, has func(string) bool) []symptom {
			d := math.Abs(p.Measure.Drift)
			if d <= pick(has(""), 200.0, 300.0) || d > 50_000 { // beyond, it is no clock
				return nil
			}
			way := "slow"
			if p.Measure.Drift > 0 {
				way = "fast"
			}
			return one("", d, "the encoder's clock is %s by %s an hour: it is corrected as far as 1.8 s an hour, and players see a break where that isn't enough; let sound and picture go by one clock", way, seconds(time.Duration(d*3600*1000)))
		},
	},
	{
		code: "timestamps_mended", severity: Notice,
		when: "within a minute, the timestamps leaped: the line was broken and mended",
		obs:  "Look for sources that stop and begin again (media sources, capture cards)", ffmpeg: "-fflags +genpts, and inputs that don't begin anew (-stream_loop leaps)",
		find: func(p *Patient, has func(string) bool) []symptom {
			n := p.Measure.Mended
			if n == 0 {
				return nil
			}
			return one("", float64(n), "the encoder's timestamps leaped %s in the last minute: players see a discontinuity each time; look for inputs that begin again", times(n))
		},
	},
	{
		code: "frames_dropped", severity: Warning,
		when: "within a minute, 5 frames or more could not be used",
		obs:  "Restart the stream; look at the log of sluice, which says why", ffmpeg: "Look at the log of sluice, which says why",
		find: func(p *Patient, has func(string) bool) []symptom {
			n := p.Measure.Dropped
			if n < pick(has(""), 1, 5) {
				return nil
			}
			return one("", float64(n), "%d frames could not be used in the last minute: viewers see or hear gaps; the log says why", n)
		},
	},
	{
		code: "b_frames", severity: Notice,
		when: "frames are shown more than 0.25 s later than they are decoded: many B-frames, or a low frame rate with some",
		obs:  "Settings → Output (Advanced) → Streaming → x264 Options: bframes=2 b-pyramid=none (or Max B-frames: 2)", ffmpeg: "-bf 2",
		find: perTrack(func(p *Patient, t *remux.TrackMeasure, had bool) (float64, string) {
			if t.Reorder <= pick(had, 200*time.Millisecond, 250*time.Millisecond) {
				return 0, ""
			}
			return t.Reorder.Seconds(), fmt.Sprintf("B-frames delay the picture by %s: latency grows by that; allow 2 in a row, or none", seconds(t.Reorder))
		}),
	},
}

// pick is one of two thresholds.
func pick[T any](had bool, less, more T) T {
	if had {
		return less
	}
	return more
}

func one(track string, value float64, format string, args ...any) []symptom {
	return []symptom{{track, track, value, fmt.Sprintf(format, args...)}}
}

// perTrack looks at each picture that was measured. There is no symptom where the text
// is empty.
func perTrack(look func(p *Patient, t *remux.TrackMeasure, had bool) (value float64, text string)) func(*Patient, func(string) bool) []symptom {
	return func(p *Patient, has func(string) bool) (all []symptom) {
		for i := range p.Measure.Tracks {
			t := &p.Measure.Tracks[i]
			if t.Kind != remux.Video {
				continue
			}
			if value, text := look(p, t, has(t.ID)); text != "" {
				all = append(all, symptom{t.ID, t.ID, value, t.ID + ": " + text})
			}
		}
		return all
	}
}

// apartBy is how far keyframes are apart, as far as it is known.
func apartBy(t *remux.TrackMeasure) time.Duration {
	d := time.Duration(0)
	if n := len(t.Keys); n > 0 {
		for _, k := range t.Keys[max(0, n-3):] { // scene changes bring them sooner
			d = max(d, k)
		}
	}
	const long = 10500 * time.Millisecond // the default of encoders is 250 frames
	if t.SinceKey > long {
		d = max(d, t.SinceKey)
	}
	return d
}

// uneven is how often a group is a fifth shorter or longer than the one before, and
// how long the shortest and the longest are.
func uneven(keys []time.Duration) (n int, shortest, longest time.Duration) {
	for i, k := range keys {
		longest = max(longest, k)
		if i == 0 || k < shortest {
			shortest = k
		}
	}
	for i := 1; i < len(keys); i++ {
		if a, b := keys[i-1], keys[i]; min(a, b) < max(a, b)*4/5 {
			n++
		}
	}
	return n, shortest, longest
}

// apart tells of sound and picture that don't come together.
func apart(p *Patient, has func(string) bool, sign time.Duration) []symptom {
	lead := p.Measure.Lead * sign
	if lead <= pick(has(""), 200*time.Millisecond, 300*time.Millisecond) {
		return nil
	}
	way := "before"
	if sign < 0 {
		way = "behind"
	}
	return one("", lead.Seconds(), "the sound comes %s %s the picture of its time: viewers need so much more in store, and where it is a wrong setting they don't hear what they see; take delays out of the encoder", seconds(lead), way)
}

// goneAfter is how long the samples of a track may stay away before it is said.
const goneAfter = 10 * time.Second

func absent(p *Patient, k remux.Kind) (all []symptom) {
	w := p.Window
	if w == nil || w.State != packager.Live {
		return nil
	}
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if !r.Away || r.Header == nil || r.Header.Track.Kind() != k {
			continue
		}
		since := time.Unix(0, r.AwaySince).UTC()
		if p.Now.Sub(since) < goneAfter {
			continue
		}
		at := since.Truncate(time.Second).Format(time.RFC3339)
		id := string(r.ID)
		switch {
		case otherQualities(w, r):
			all = append(all, one(id, 1, "%s: nothing has come of this quality since %s: players show the others; look at its encoder, or start it again", id, at)...)
		case k == remux.Video:
			all = append(all, one(id, 1, "%s: the encoder has sent no picture since %s: viewers hear the sound alone, or wait; look at the encoder's camera or scene", id, at)...)
		case len(r.Header.Track.Silence) > 0:
			all = append(all, one(id, 1, "%s: the encoder has sent no sound since %s: viewers hear silence; look at the encoder's microphone or mixer", id, at)...)
		default:
			all = append(all, one(id, 1, "%s: the encoder has sent no sound since %s, and sluice can't write silence in %s: players may wait; look at the encoder's microphone or mixer", id, at, r.Header.Track.Codecs)...)
		}
	}
	return all
}

// otherQualities tells whether a picture comes in other qualities than this one.
func otherQualities(w *packager.Window, r *packager.Rendition) bool {
	for _, set := range w.Sets() {
		is := func(o *packager.Rendition) bool { return o.ID == r.ID }
		comes := func(o *packager.Rendition) bool { return !o.Away }
		if slices.ContainsFunc(set.Renditions, is) && slices.ContainsFunc(set.Renditions, comes) {
			return true
		}
	}
	return false
}

// leftOut are the sentences of remux on what viewers, or some of them, don't get.
func leftOut(p *Patient, all bool) (list []symptom) {
	if p.Window == nil || p.Window.State != packager.Live {
		return nil
	}
	for _, text := range p.Window.LeftOut {
		if strings.Contains(text, "left out") == all {
			list = append(list, symptom{key: text, text: text})
		}
	}
	return list
}

// seconds is a duration as a person reads it.
func seconds(d time.Duration) string { return short(d.Seconds()) + " s" }

// short is a number in few digits.
func short(v float64) string {
	text := fmt.Sprintf("%.1f", v)
	if v < 1 {
		text = fmt.Sprintf("%.2f", v)
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func bits(rate int) string {
	if rate >= 1_000_000 {
		return short(float64(rate)/1e6) + " Mbit/s"
	}
	return fmt.Sprintf("%d kbit/s", rate/1000)
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}
