package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// maxFaults is how many faults of one kind are kept in full.
const maxFaults = 10

// report is what a probe found out. Its methods, and those of its tracks and
// listings, may be called by any goroutine.
type report struct {
	url   string
	begin time.Time

	mu           sync.Mutex // guards what is below, and all tracks and listings
	progress     io.Writer
	kind         string
	live         bool
	stopped      string // why it ended early
	firstSegment time.Duration
	tracks       []*track
	listings     []*listing
	http, decode faults
	other        faults
}

func newReport(url string, progress io.Writer) *report {
	return &report{url: url, begin: time.Now(), progress: progress}
}

// faults are the faults of one kind: a flood of them fits into a screen.
type faults struct {
	count int
	first []string
}

func (f *faults) add(format string, args ...any) {
	f.count++
	if len(f.first) < maxFaults {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
}

func (r *report) setKind(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kind = kind
}

func (r *report) setLive(live bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = live
}

func (r *report) httpError(u *url.URL, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.http.add("GET %s: %v", u, err)
}

func (r *report) decodeError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decode.add("decode: %v", err)
}

func (r *report) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.other.add(format, args...)
}

// stop notes why the play ended before it was over. It is a fault, unless it
// was asked for or follows from a request whose failure is one already.
func (r *report) stop(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = err.Error()
	if r.http.count == 0 || !errors.Is(err, errHTTP) {
		r.other.add("stopped: %v", err)
	}
}

// gotSegment notes a segment or part that has come.
func (r *report) gotSegment(res *response) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.firstSegment == 0 {
		r.firstSegment = time.Since(r.begin)
	}
	fmt.Fprintf(r.progress, "%8.3f s  %s  %d bytes in %d ms\n", time.Since(r.begin).Seconds(),
		path.Join(path.Base(path.Dir(res.url.Path)), path.Base(res.url.Path)), len(res.body), res.took.Milliseconds())
}

// spread keeps the range and the newest of many values.
type spread struct {
	count          int
	min, max, last time.Duration
}

func (s *spread) add(d time.Duration) {
	if s.count == 0 {
		s.min, s.max = d, d
	}
	s.count++
	s.min, s.max, s.last = min(s.min, d), max(s.max, d), d
}

func (s *spread) String() string {
	return fmt.Sprintf("%.3f s (%.3f to %.3f)", s.last.Seconds(), s.min.Seconds(), s.max.Seconds())
}

// lengths are the durations of segments or parts.
type lengths []time.Duration

func (l lengths) String() string {
	if len(l) == 0 {
		return "0"
	}
	l = slices.Sorted(slices.Values(l))
	return fmt.Sprintf("%d of %.3f / %.3f / %.3f s", len(l), l[0].Seconds(), l[len(l)/2].Seconds(), l[len(l)-1].Seconds())
}

// listing is what a playlist, or a Representation in a manifest, lists.
type listing struct {
	report *report
	name   string

	limit           string        // the field that bounds segments
	target          time.Duration // its value; 0 when it isn't there
	partTarget      time.Duration
	segments, parts lengths
	discontinuities int
	edge            spread // how far the end of the newest segment is behind the clock
}

func (r *report) addListing(name, limit string) *listing {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &listing{report: r, name: name, limit: limit}
	r.listings = append(r.listings, l)
	return l
}

// update changes the listing.
func (l *listing) update(change func()) {
	l.report.mu.Lock()
	defer l.report.mu.Unlock()
	change()
}

// track is what came of one elementary stream.
type track struct {
	report    *report
	name      string // video v1
	facts     string // codec, size, …
	timescale int
	frame     time.Duration // how long each sample truly is; 0 when that varies

	samples  int
	bytes    int64
	media    time.Duration // of all samples before the newest
	first    time.Duration // decode time of the first sample
	last     time.Duration // decode time of the newest
	duration time.Duration // of the newest, as its container says; 0 when it doesn't
	usual    time.Duration // distance between samples
	longest  time.Duration
	newest   time.Time // when the newest came
	apart    bool      // the next sample need not follow the newest
	gaps     faults
	pulse    pulse  // of a picture
	play     spread // how far samples are behind the clock when they are played
}

func (r *report) addTrack(t *track) *track {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.report = r
	r.tracks = append(r.tracks, t)
	return t
}

const (
	// timeTolerance forgives what media time loses when it is rounded.
	timeTolerance = 2 * time.Millisecond
	// pictureGap is the shortest standstill of a picture that counts.
	pictureGap = 250 * time.Millisecond
)

// add notes a sample: its decode time, the duration that its container says
// (0 when it doesn't) and its size.
func (t *track) add(at, duration time.Duration, size int) {
	t.report.mu.Lock()
	defer t.report.mu.Unlock()
	switch {
	case t.samples == 0:
		t.first = at
	case t.apart:
		t.media += t.duration
	default:
		t.step(at)
	}
	t.samples++
	t.bytes += int64(size)
	t.last, t.duration, t.newest, t.apart = at, duration, time.Now(), false
}

// addFrame notes how a frame of a picture comes: its decode time, how much later it is
// shown, and whether decoding can start with it.
func (t *track) addFrame(at, shown time.Duration, sync bool) {
	t.report.mu.Lock()
	defer t.report.mu.Unlock()
	t.pulse.frame(at, shown, sync)
}

// addPlayed notes how late a sample is played.
func (t *track) addPlayed(latency time.Duration) {
	t.report.mu.Lock()
	defer t.report.mu.Unlock()
	t.play.add(latency)
}

// separate says that the next sample need not follow the newest: a period
// begins, or a segment that did not come is reported already.
func (t *track) separate() {
	t.report.mu.Lock()
	defer t.report.mu.Unlock()
	t.apart = true
}

// step judges the distance to the sample before.
func (t *track) step(at time.Duration) {
	step := at - t.last
	if t.usual == 0 {
		t.usual = step
	}
	t.longest = max(t.longest, step)
	t.media += max(step, 0)
	where := (at - t.first).Seconds()
	hole := time.Duration(0)
	if t.duration > 0 {
		hole = step - t.duration
	}
	switch {
	case step <= 0:
		t.gaps.add("%s: decode time goes back by %.3f s at %.3f s", t.name, -step.Seconds(), where)
	case hole < -timeTolerance:
		t.gaps.add("%s: samples overlap by %.3f s at %.3f s", t.name, -hole.Seconds(), where)
	case hole > timeTolerance:
		t.gaps.add("%s: gap of %.3f s at %.3f s", t.name, hole.Seconds(), where)
	case t.tooLong(step):
		t.gaps.add("%s: %.3f s from one sample to the next at %.3f s", t.name, step.Seconds(), where)
	default:
		t.usual += (step - t.usual) / 8
	}
}

// tooLong tells whether something is missing between two samples, whatever
// the container says.
func (t *track) tooLong(step time.Duration) bool {
	if t.frame > 0 { // a whole frame, or nearly
		return step > t.frame+t.frame*3/4
	}
	return step > pictureGap && step > 3*t.usual
}

// write writes the report. Its error tells whether something is wrong.
func (r *report) write(out io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fact := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	state := "static"
	if r.live {
		state = "live"
	}
	fact("url", "%s", r.url)
	if len(r.listings) > 0 {
		fact("type", "%s, %s", r.kind, state)
	}
	fact("time", "%.1f s", time.Since(r.begin).Seconds())
	if r.firstSegment > 0 {
		fact("first segment", "after %.3f s", r.firstSegment.Seconds())
	}
	for _, t := range r.tracks {
		t.write(fact)
	}
	discontinuities := 0
	slices.SortFunc(r.listings, func(a, b *listing) int { return strings.Compare(a.name, b.name) })
	for _, l := range r.listings {
		l.write(fact)
		discontinuities = max(discontinuities, l.discontinuities)
	}
	r.writeHealth(fact)
	fact("discontinuities", "%d", discontinuities)
	fact("http errors", "%d", r.http.count)
	fact("decode errors", "%d", r.decode.count)
	if r.stopped != "" {
		fact("stopped", "%s", r.stopped)
	}

	all := r.faults(discontinuities)
	for _, f := range all {
		fact("wrong", "%s", f)
	}
	if len(all) == 0 {
		fmt.Fprintln(w, "ok")
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("probe: write: %w", err)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return errors.New("probe: " + all[0])
	}
	return fmt.Errorf("probe: %d things are wrong", len(all))
}

func (t *track) write(fact func(name, format string, args ...any)) {
	fact(t.name, "%s, timescale %d", t.facts, t.timescale)
	fact(t.name+" gaps", "%d", t.gaps.count)
	media := t.media + max(t.duration, t.usual)
	if t.samples == 0 || media <= 0 {
		fact(t.name+" samples", "%d", t.samples)
		return
	}
	fact(t.name+" samples", "%d in %.3f s, %.2f/s, at most %.3f s apart", t.samples, media.Seconds(),
		float64(t.samples)/media.Seconds(), t.longest.Seconds())
	fact(t.name+" bit rate", "%.0f kbit/s", float64(t.bytes)*8/media.Seconds()/1000)
	if t.play.count > 0 {
		fact(t.name+" latency", "played %v behind the clock", &t.play)
	}
}

func (l *listing) write(fact func(name, format string, args ...any)) {
	target := "no " + l.limit
	if l.target > 0 {
		target = fmt.Sprintf("%s %.3f s", l.limit, l.target.Seconds())
	}
	fact(l.name+" segments", "%v (min / median / max), %s", l.segments, target)
	if l.partTarget > 0 {
		fact(l.name+" parts", "%v (min / median / max), part target %.3f s", l.parts, l.partTarget.Seconds())
	}
	if l.report.live && l.edge.count > 0 {
		fact(l.name+" latency", "newest segment ends %v behind the clock", &l.edge)
	}
}

// patience is how long nothing may come from a live stream: until a player
// that began three segments back has nothing left.
func (r *report) patience() time.Duration {
	longest := time.Second
	for _, l := range r.listings {
		longest = max(longest, l.target)
	}
	return startDistance * longest
}

// faults lists all that is wrong. A gap may go with a discontinuity.
func (r *report) faults(discontinuities int) []string {
	var all []string
	add := func(f faults) {
		all = append(all, f.first...)
		if n := f.count - len(f.first); n > 0 {
			all = append(all, fmt.Sprintf("… and %d more like that", n))
		}
	}
	add(r.http)
	add(r.decode)
	add(r.other)
	for _, t := range r.tracks {
		if t.gaps.count > discontinuities {
			add(t.gaps)
		}
		if t.samples == 0 {
			all = append(all, t.name+": no samples")
		} else if late := time.Since(t.newest); r.live && late > r.patience() {
			all = append(all, fmt.Sprintf("%s: no samples in the last %.1f s", t.name, late.Seconds()))
		}
	}
	if len(r.tracks) == 0 && len(all) == 0 {
		all = append(all, "nothing to play has come")
	}
	return all
}
