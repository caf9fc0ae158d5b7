package packager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// session publishes a second of media under a name and says goodbye, or is lost.
func (l *life) session(t *testing.T, name string, cause error) *packager.Window {
	t.Helper()
	var err error
	if l.name, err = packager.ParseStreamName("live", name); err != nil {
		t.Fatal(err)
	}
	f := l.publish(t, video)
	begin := f.p.Begin(l.now).UnixMicro() * 9 / 100
	for i := range 30 {
		f.write(remux.Sample{DTS: begin + int64(i)*3000, Duration: 3000, Sync: i == 0}, []byte("picture"))
	}
	f.p.Close(cause)
	return l.window(t)
}

// newest returns the highest numbers of a Window's first rendition.
func newest(w *packager.Window) (media, discontinuity int64) {
	r := w.Renditions[0]
	s := r.Segments[len(r.Segments)-1]
	return int64(s.MSN), s.Header.Period.Sequence
}

// F33: an encoder that publishes and says goodbye all the time moves the numbers
// of no other stream. Its own are not used again, whatever is forgotten.
func TestF33NumbersOfOthers(t *testing.T) {
	l, quiet := newLife(t), newLife(t)
	for range 200 {
		l.session(t, "flapping", nil)
	}
	media, discontinuity := newest(l.window(t))
	l.now = l.now.Add(settings.Linger + time.Second)
	l.c.Expire()
	quiet.now = l.now
	if _, ok := l.c.Lookup(l.name); ok {
		t.Fatal("it isn't forgotten")
	}
	m, d := newest(l.session(t, "cam2", nil))
	wantM, wantD := newest(quiet.session(t, "cam2", nil))
	if m != wantM || d != wantD {
		t.Errorf("another stream begins with %d and %d, not with %d and %d", m, d, wantM, wantD)
	}
	if m, d := newest(l.session(t, "flapping", nil)); m <= media || d <= discontinuity {
		t.Errorf("its own go from %d and %d to %d and %d", media, discontinuity, m, d)
	}
}

// Numbers don't go back when the clock is set back and all streams are forgotten.
func TestNumbersWithClockSetBack(t *testing.T) {
	l := newLife(t)
	media, discontinuity := newest(l.session(t, "cam1", nil))
	l.now = l.now.Add(settings.Linger + time.Second)
	l.c.Expire()
	l.now = l.now.Add(-time.Hour)
	if m, d := newest(l.session(t, "cam1", nil)); m <= media || d < discontinuity {
		t.Errorf("they go from %d and %d to %d and %d", media, discontinuity, m, d)
	}
}

// Media sequence numbers grow over a restart, even of a stream that begins anew
// as often as it may: once a second.
func TestNumbersOverRestarts(t *testing.T) {
	for _, cause := range []error{nil, errLost} {
		t.Run(fmt.Sprint(cause), func(t *testing.T) {
			l := newLife(t)
			last := int64(0)
			for range 5 {
				for range 60 {
					media, _ := newest(l.session(t, "cam1", cause))
					if media <= last {
						t.Fatalf("number %d comes behind %d", media, last)
					}
					last = media
					l.now = l.now.Add(time.Second)
				}
				restarted := newLife(t)
				restarted.now = l.now
				l = restarted
			}
		})
	}
}
