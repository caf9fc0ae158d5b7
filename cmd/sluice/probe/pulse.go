package probe

import (
	"time"

	"github.com/sluice-live/sluice/packager/health"
	"github.com/sluice-live/sluice/remux"
)

const (
	// keysKept is how many distances of keyframes are judged: the last.
	keysKept = 8
	// pulseBreak is the longest that two frames can be apart and belong to one stretch.
	pulseBreak = 2 * time.Second
)

// pulse is what is judged of a picture: how its frames come.
type pulse struct {
	frames, steps   int
	length          time.Duration // of all steps
	uneven          int           // steps that are not the usual one
	last, key       time.Duration // decode times, of the newest frame and keyframe
	keyed           bool
	keys            []time.Duration
	latest, soonest time.Duration // that frames are shown behind their decode time
}

// frame notes a frame: its decode time, and how much later it is shown.
func (p *pulse) frame(at, shown time.Duration, sync bool) {
	step := at - p.last
	switch {
	case p.frames == 0:
	case step <= 0 || step > pulseBreak:
		p.keyed = false // what lies between isn't known
	default:
		p.steps++
		p.length += step
		usual := p.length / time.Duration(p.steps)
		if off := (step - usual).Abs(); off > usual/3+5*time.Millisecond {
			p.uneven++
		}
	}
	p.frames++
	p.last = at
	p.latest, p.soonest = max(p.latest, shown), min(p.soonest, shown)
	if !sync {
		return
	}
	if p.keyed {
		p.keys = append(p.keys, at-p.key)
		p.keys = p.keys[max(0, len(p.keys)-keysKept):]
	}
	p.key, p.keyed = at, true
}

// advice is what is wrong with how the frames of a track come, by the rules of
// packager/health: those that can be judged from here.
func (t *track) advice() []health.Advice {
	p := &t.pulse
	if p.steps == 0 {
		return nil
	}
	now := time.Unix(0, 0)
	m := remux.TrackMeasure{
		ID: t.name, Kind: remux.Video, Keys: p.keys, Reorder: p.latest - p.soonest,
		Frames: float64(p.steps) / p.length.Seconds(), Uneven: float64(p.uneven) / float64(p.steps),
	}
	if p.keyed {
		m.SinceKey = p.last - p.key
	}
	patient := health.Patient{Measure: remux.Measure{At: now, Tracks: []remux.TrackMeasure{m}}, Now: now}
	chart := health.Chart{}.Look(&patient)
	patient.Now = now.Add(time.Hour) // it has all been so all the time
	return chart.Look(&patient).Advice()
}

// writeHealth says what is wrong with pictures, and what to set in the encoder: what
// /api/v1/streams of a sluice says, as far as it shows from here.
func (r *report) writeHealth(fact func(name, format string, args ...any)) {
	judged, well := false, true
	for _, t := range r.tracks {
		judged = judged || t.pulse.keyed && t.pulse.steps > 0
		for _, a := range t.advice() {
			well = false
			fact("health", "%s, %s: %s", a.Severity, a.Code, a.Text)
			fact("", "OBS: %s", a.OBS)
			fact("", "ffmpeg: %s", a.FFmpeg)
		}
	}
	if judged && well {
		fact("health", "nothing to say")
	}
}
