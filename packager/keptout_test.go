package packager_test

import (
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
)

// TestNobodyIsKeptOut: whoever sends is seen and heard, some segments behind what kept it
// away, whatever the others send or don't, and with few periods.
func TestNobodyIsKeptOut(t *testing.T) {
	const never = 99000
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	sound := pusher{label: "_sound", order: 3, fps: 30, gop: 60, blind: true}
	full := pusher{label: "_1080p", order: 1, fps: 25, gop: 50}
	half := pusher{label: "_720p", order: 2, fps: 50, gop: 100}
	with := func(p pusher, change func(*pusher)) pusher {
		change(&p)
		return p
	}
	mute := func(p *pusher) { p.mute = true }
	for _, tt := range []struct {
		name    string
		pushers []pusher
		picture packager.RenditionID // that must have media at the end
		since   int64                // ms; from where on it must have it; 0: not asked
		heard   int                  // the number of a unit of sound that must be in some segment
		periods int
	}{
		{"sound alone is first", []pusher{sound, with(full, func(p *pusher) { p.mute, p.from = true, 3100 })}, "v1_1080p", 8000, 1000, 2},
		{"sound alone is first, and pictures come late", []pusher{sound, with(full, func(p *pusher) { p.mute, p.from, p.lag = true, 3100, 700 })}, "v1_1080p", 8000, 1000, 2},
		{"sound alone is first, and pictures come with what was before", []pusher{sound, with(full, func(p *pusher) { p.mute, p.from, p.cache = true, 9100, 5500 })}, "v1_1080p", 14000, 1000, 2},
		{"sound alone is first, and two pictures come", []pusher{sound, with(full, mute), with(half, func(p *pusher) { p.mute, p.from = true, 5100 })}, "v1_720p", 12000, 1000, 2},
		{"sound alone is last", []pusher{with(full, mute), with(sound, func(p *pusher) { p.from = 5100 })}, "v1_1080p", 4000, 1000, 1},
		{"the only picture comes back with another decoder", []pusher{sound, with(full, func(p *pusher) { p.mute, p.gone, p.changes = true, []away{{12100, 17500}}, 13000 })}, "v1_1080p", 26000, 1000, 3},
		{"the leader comes back with another decoder, and keyframes lie elsewhere", []pusher{with(full, func(p *pusher) { p.gone, p.changes = []away{{12100, 15500}}, 13000 }), with(half, func(p *pusher) { p.first = 27 })}, "v1_1080p", 22000, 1000, 2},
		{"who could tell where keyframes lie is gone", []pusher{with(full, func(p *pusher) { p.mute, p.gone = true, []away{{11170, never}} }), with(half, func(p *pusher) { p.from, p.first = 9400, 33 })}, "v1_720p", 16000, 1000, 2},
		{"who could tell where keyframes lie stalls", []pusher{with(full, func(p *pusher) { p.mute, p.silent = true, []away{{11170, 26000}} }), with(half, func(p *pusher) { p.from, p.first = 9400, 33 })}, "v1_720p", 16000, 1000, 2},
		{"the sound that takes over lags", []pusher{with(half, func(p *pusher) { p.silent = []away{{12480, never}} }), with(full, func(p *pusher) { p.lag = 800 }), {label: "_360p", order: 3, fps: 25, gop: 50, mute: true}}, "v1_1080p", 4000, 1000, 1},
		{"the decoder changes, and then the sound falls silent", []pusher{with(sound, func(p *pusher) { p.gone, p.silent = []away{{9164, 13863}}, []away{{18378, 25380}} }), with(full, func(p *pusher) { p.fps, p.gop, p.lag, p.changes = 60, 60, 442, 15886 })}, "v1_1080p", 26000, 1000, 3},
		{"its decoder changes in a silence, and another comes back first", []pusher{{label: "_1080p", order: 1, fps: 30, gop: 90, gone: []away{{16560, 17584}}}, {label: "_720p", order: 2, fps: 30, gop: 90, lag: 550, silent: []away{{8602, 15103}}, changes: 14555, mute: true}}, "v1_720p", 27000, 1000, 3},
		{"the decoders of all pictures change, and sound goes on", []pusher{{label: "_720p", order: 2, fps: 30, gop: 90, changes: 14000, mute: true}, sound}, "v1_720p", 3000, 1000, 2},
		{"all but one are away, and that comes back", []pusher{{label: "_1080p", order: 1, fps: 30, gop: 30, mute: true, gone: []away{{12057, 15326}}}, {label: "_720p", order: 0, fps: 30, gop: 30, silent: []away{{9859, 16463}}, changes: 13494, mute: true}, {label: "_360p", order: 3, fps: 30, gop: 30, lag: 675, silent: []away{{12059, 16864}}}}, "v1_1080p", 17000, 1000, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := program(t, set, 34000, func(ms int64, s *packager.Stream) {
				if ms%50 == 0 && !t.Failed() {
					agree(t, s.Window(), false)
				}
			}, tt.pushers...)
			r, ok := w.Rendition(tt.picture)
			if !ok {
				t.Fatalf("%s is not there", tt.picture)
			}
			seen, periods := false, make(map[*packager.Period]bool)
			for _, s := range r.Segments {
				periods[s.Header.Period] = true
				switch behind := s.Time().Sub(start); {
				case behind < time.Duration(tt.since)*time.Millisecond:
				case s.Gap():
					t.Errorf("segment %d, at %v, is a gap", s.MSN, behind)
				default:
					seen = true
				}
			}
			if !seen {
				t.Error("nothing is seen")
			}
			a, _ := w.Rendition("a1")
			for _, s := range a.Segments {
				periods[s.Header.Period] = true
			}
			if all := units(a, "sound "); len(all) == 0 || all[len(all)-1] < tt.heard {
				t.Errorf("the last sound of %d is %v", len(all), all[max(0, len(all)-1):])
			}
			if len(periods) > tt.periods {
				t.Errorf("%d periods, not %d", len(periods), tt.periods)
			}
		})
	}
}

// TestSoundBesideANewDecoder: who gives the sound and begins with another picture, which waits for a segment
// to begin, is heard all the time.
func TestSoundBesideANewDecoder(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Grace = 100, true, 30*time.Second
	for _, lag := range []int64{0, 300, 900} {
		w := program(t, set, 34000, func(ms int64, s *packager.Stream) {
			if ms%50 == 0 && !t.Failed() {
				agree(t, s.Window(), false)
			}
		}, pusher{label: "_1080p", order: 1, fps: 30, gop: 90, mute: true}, pusher{label: "_720p", order: 2, fps: 30, gop: 30, changes: 13000, lag: lag})
		a, _ := w.Rendition("a1")
		all := units(a, "sound ")
		for i := 1; i < len(all); i++ {
			if all[i] != all[i-1]+1 {
				t.Errorf("%d ms late: sound %d comes behind %d", lag, all[i], all[i-1])
			}
		}
		if len(all) < 1400 {
			t.Errorf("%d ms late: %d units of sound", lag, len(all))
		}
		periods := make(map[*packager.Period]bool)
		for _, s := range a.Segments {
			periods[s.Header.Period] = true
		}
		if len(periods) != 2 {
			t.Errorf("%d ms late: %d periods", lag, len(periods))
		}
	}
}
