package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sluice-live/sluice/ingest/client"
)

// A person looks at the dashboard: nobody publishes yet, a stream comes and is seen, is
// ended behind a question, and comes back.
func TestDashboard(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	const stream = "live/cam1"
	s := startServer(t, "-watch-token-keys", tokenKey) // an operator needs none
	b := browse(t)
	b.scheme(t, "dark")
	b.size(t, 1280, 900)
	b.open(t, s.dashboard(""))
	b.awaitText(t, 5*time.Second, ".empty", "No streams yet")
	b.awaitText(t, time.Second, "#how-server", "rtmp://"+s.rtmp+"/live")
	b.usable(t, "empty")

	// An encoder's name for itself is text, whatever is in it.
	const evil = `<img src=x onerror=evil()><b>cam`
	ffmpegPublish(t, "-stream_loop", "-1", "-re", "-i", clip360(t), "-c", "copy", "-f", "flv", "-rtmp_flashver", evil, s.rtmpURL(stream))
	b.awaitText(t, 10*time.Second, ".stream", "Live")
	b.awaitTrue(t, 10*time.Second, "document.querySelector('.stream video').currentTime > 0", "the preview plays")
	b.usable(t, "list")

	b.click(t, ".stream h2 a")
	b.awaitText(t, 5*time.Second, "main", "On air")
	b.awaitText(t, 5*time.Second, "main", evil)
	b.awaitTrue(t, 10*time.Second, "document.querySelectorAll('.groups .bars').length === 3 && document.querySelectorAll('.lanes .part').length > 3", "frames and parts are drawn")
	b.usable(t, "stream")

	b.click(t, "#end-stream")
	b.awaitTrue(t, time.Second, "document.querySelector('#ask').open && document.activeElement.id === 'ask-no'", "it asks, and Cancel has the focus")
	b.click(t, "#ask-no")
	b.awaitText(t, time.Second, ".title .badge", "Live")
	b.click(t, "#end-stream")
	b.click(t, "#ask-yes")
	b.awaitText(t, 5*time.Second, ".title .badge", "Ended")

	s.pushClip(t, clip360(t), stream, 0)
	b.awaitText(t, 8*time.Second, ".title .badge", "Live")
	b.awaitTrue(t, 8*time.Second, "document.querySelector('.stage video').currentTime > 0", "the preview plays again")
	for _, f := range b.found("/preview/") { // which is asked for while nothing can be played yet
		t.Error(f)
	}
	if n := b.cookies(t); n > 0 {
		t.Errorf("%d cookies", n)
	}
}

// The same in all states, on a desk and on a phone, by day and by night: with advice that
// says what to set, a connection that is lost and comes back, and many streams. Screenshots
// are kept.
func TestDashboardWhole(t *testing.T) {
	if os.Getenv("E2E_DASHBOARD") == "" {
		t.Skip("make test-dashboard")
	}
	other := startServer(t)
	down := freeAddr(t)
	s := startServer(t, "-publish-backup", "-window-grace", "5m", "-window-linger", "5m",
		"-push", "live/studio="+other.rtmpURL("live/copy")+",live/studio=rtmp://"+down+"/live/SECRET")
	b := browse(t)
	b.size(t, 1280, 900)
	b.open(t, s.dashboard(""))
	b.awaitText(t, 5*time.Second, ".empty", "No streams yet")
	b.gallery(t, "empty")

	encode := func(stream string, options ...string) *child {
		return ffmpegPublish(t, append(append([]string{"-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-f", "lavfi", "-i", "sine",
			"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-b:v", "900k", "-c:a", "aac"}, options...), "-f", "flv", s.rtmpURL(stream))...)
	}
	encode("live/sick", "-g", "300", "-keyint_min", "300", "-sc_threshold", "0")
	s.pushClipLoop(t, clip720(t), "live/studio")
	s.pushClipLoop(t, clip720(t), "live/studio") // stands by
	field := s.pushClipLoop(t, clip360(t), "live/field")
	s.pushClip(t, clipShort(t), "live/over", 4*time.Second).wait(t, 20*time.Second)
	killChild(field.cmd.Process)

	b.awaitText(t, 60*time.Second, ".stream[data-state=live]", "keyframes come every 10 s")
	b.awaitTrue(t, 20*time.Second, "document.querySelectorAll('.stream').length === 4", "all streams are there")
	b.awaitText(t, 20*time.Second, ".stream", "Waiting")
	b.awaitText(t, 20*time.Second, ".stream", "Ended")
	b.awaitTrue(t, 20*time.Second, "[...document.querySelectorAll('.stream[data-state=live] video')].every((v) => v.currentTime > 0)", "the previews play")
	b.gallery(t, "list")
	start(t, "ffmpeg", "-nostdin", "-v", "error", "-i", s.rtmpURL("live/studio"), "-f", "null", "-")

	for _, page := range []struct{ name, hash, text string }{
		{"healthy", "#/stream/live/studio", "Nothing is wrong"},
		{"sick", "#/stream/live/sick", "-force_key_frames"},
		{"waiting", "#/stream/live/field", "Its encoder was lost"},
		{"ended", "#/stream/live/over", "It is over"},
		{"absent", "#/stream/live/nobody", "Not there"},
		{"activity", "#/activity", "Its encoder was lost"},
		{"server", "#/server", "The server takes publishers"},
		{"relays", "#/server", "goes to"},
		{"readers", "#/stream/live/studio", "Played by RTMP"},
	} {
		b.open(t, s.dashboard(page.hash))
		b.awaitText(t, 10*time.Second, "main", page.text)
		if strings.HasPrefix(page.hash, "#/stream") && page.name != "absent" && page.name != "waiting" && page.name != "ended" {
			b.awaitTrue(t, 10*time.Second, "document.querySelector('.stage video').currentTime > 0 && document.querySelectorAll('.plot canvas').length === 4", "it plays")
		}
		b.gallery(t, page.name)
	}

	b.open(t, s.dashboard("#/stream/live/studio"))
	b.awaitText(t, 10*time.Second, "main", "Failed")
	b.awaitText(t, 10*time.Second, "main", down)
	if text := eval[string](t, b, "document.body.textContent"); strings.Contains(text, "SECRET") {
		t.Error("a stream key is shown")
	}
	b.awaitText(t, 10*time.Second, "main", "Stands by")
	b.click(t, "[data-focus^=switch]")
	b.gallery(t, "question")
	b.click(t, "#ask-yes")
	b.awaitText(t, 10*time.Second, "#toast", "goes on air at its next keyframe")

	b.open(t, s.dashboard("#/server"))
	b.click(t, "[data-focus=drain]")
	b.click(t, "#ask-yes")
	b.awaitTrue(t, 5*time.Second, "!document.querySelector('#drained').hidden", "it says that the server is drained")
	b.click(t, "[data-focus=drain]")
	b.awaitTrue(t, 5*time.Second, "document.querySelector('#drained').hidden", "and that it is no more")

	for _, f := range b.found("/preview/", "404") {
		t.Error(f)
	}
	b.open(t, s.dashboard(""))
	b.awaitText(t, 5*time.Second, "#link", "Connected")
	s.crash(t, func() {
		b.awaitText(t, 10*time.Second, "#lost", "connection to the server is lost")
		b.gallery(t, "lost")
	})
	b.awaitText(t, 15*time.Second, "#link", "Connected")
	b.awaitTrue(t, 5*time.Second, "document.querySelector('#lost').hidden", "it is back by itself")
}

// publishMany has live/camFROM and those behind it published, up to camTO, by encoders that
// send two seconds and stay.
func (s *server) publishMany(t *testing.T, from, to int) {
	t.Helper()
	tags := clipTags(t, clipShort(t))[:60]
	var all sync.WaitGroup
	places := make(chan struct{}, 16)
	for i := from; i < to; i++ {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			p, err := client.Dial(t.Context(), s.rtmpURL(fmt.Sprintf("live/cam%04d", i)), nil)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(p.Abort)
			for _, tag := range tags {
				if err := p.WriteTag(tag); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// A thousand streams are listed as a whole within 50 ms, 99 times of 100, by the program
// that has them.
func TestDashboardThousandListed(t *testing.T) {
	if os.Getenv("E2E_DASHBOARD") == "" {
		t.Skip("make test-dashboard")
	}
	const many, longest = 1000, 50 * time.Millisecond
	s := startServer(t, "-rtmp-unlimited-from", "loopback", "-rtmp-idle-timeout", "5m")
	s.publishMany(t, 0, many)
	var took []time.Duration
	size := 0
	for range 300 {
		began := time.Now()
		answer, err := s.client.Get(s.dashboard("api/v1/streams"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if took = append(took, time.Since(began)); err != nil || answer.StatusCode != 200 {
			t.Fatal(answer.Status, err)
		}
		if size = len(b); bytes.Count(b, []byte(`"state":"live"`)) != many {
			t.Fatalf("%d streams are live of %d", bytes.Count(b, []byte(`"state":"live"`)), many)
		}
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d streams, %d bytes: p50 %v, p99 %v, most %v", many, size, took[len(took)/2], p99, took[len(took)-1])
	if p99 > longest {
		t.Errorf("p99 is %v, more than %v", p99, longest)
	}
}

// With a thousand streams the page has as many elements as with twenty, asks for as much,
// and finds each of them.
func TestDashboardThousand(t *testing.T) {
	if os.Getenv("E2E_DASHBOARD") == "" {
		t.Skip("make test-dashboard")
	}
	const few, many = 20, 1000
	s := startServer(t, "-rtmp-unlimited-from", "loopback", "-rtmp-idle-timeout", "5m")
	b := browse(t)
	b.size(t, 1280, 900)
	b.open(t, s.dashboard(""))
	b.awaitText(t, 5*time.Second, ".empty", "No streams yet")
	eval[any](t, b, "document.querySelector('#previews').click()") // they are what the browser would be busy with
	measure := func(n int) (elements, bytes int) {
		s.publishMany(t, map[int]int{few: 0, many: few}[n], n)
		b.awaitText(t, 30*time.Second, ".total", fmt.Sprintf("%s streams", map[int]string{few: "20", many: "1,000"}[n]))
		b.awaitTrue(t, 10*time.Second, "document.querySelectorAll('.stream').length === 20", "twenty are listed")
		eval[any](t, b, "performance.clearResourceTimings()")
		b.awaitTrue(t, 15*time.Second, "performance.getEntriesByName(new URL('api/v1/server', location).href).length > 2", "it has asked again")
		return eval[int](t, b, "document.querySelectorAll('*').length"), eval[int](t, b, `Math.max(0, ...performance.getEntriesByType('resource').filter(({ name }) => /streams|history/.test(name)).map((e) => e.transferSize))`)
	}
	elements, bytes := measure(few)
	manyElements, manyBytes := measure(many)
	t.Logf("with %d streams: %d elements, %d bytes at most in an answer; with %d: %d elements, %d bytes", few, elements, bytes, many, manyElements, manyBytes)
	if manyElements > elements+20 || manyBytes > 3*bytes/2+1000 {
		t.Error("the page grows with the number of streams")
	}
	b.usable(t, "thousand")
	b.screenshot(t, "thousand")
	b.click(t, ".pager button:last-child")
	b.awaitText(t, 5*time.Second, ".pager", "21–40 of 1,000")
	b.awaitText(t, time.Second, ".stream h2", "live/cam0020")
	eval[any](t, b, "document.querySelector('input[type=search]').focus()")
	for _, key := range strings.Split("live/cam0777", "") {
		b.press(t, key)
	}
	b.awaitText(t, 5*time.Second, ".total", "1 stream")
	b.awaitText(t, time.Second, ".stream h2", "live/cam0777")
}

// Behind a token the browser is asked once, and the page asks for all else by itself.
func TestDashboardToken(t *testing.T) {
	if os.Getenv("E2E_DASHBOARD") == "" {
		t.Skip("make test-dashboard")
	}
	const token = "0123456789abcdef"
	s := startServer(t, "-admin-token", token)
	s.pushClipLoop(t, clip360(t), "live/cam1")
	b := browse(t)
	b.open(t, "http://operator:"+token+"@"+s.admin+"/")
	b.awaitText(t, 10*time.Second, ".stream", "Live")
	b.awaitTrue(t, 10*time.Second, "document.querySelector('.stream video').currentTime > 0", "the preview plays")
	b.click(t, ".stream h2 a")
	b.click(t, "#end-stream")
	b.click(t, "#ask-yes")
	b.awaitText(t, 10*time.Second, ".title .badge", "Ended")
	for _, f := range b.found("/preview/", "401") {
		t.Error(f)
	}
}

func (s *server) dashboard(path string) string { return "http://" + s.admin + "/" + path }

// gallery keeps screenshots of a page in each size and scheme, and has each judged.
func (b *browser) gallery(t testing.TB, name string) {
	t.Helper()
	for _, scheme := range []string{"dark", "light"} {
		b.scheme(t, scheme)
		for _, size := range sizes {
			b.size(t, size.width, size.height)
			name := fmt.Sprintf("%s-%s-%d", name, scheme, size.width)
			eventually(t, 5*time.Second, name+": nothing sticks out at the side", func() error { // charts follow a frame later
				if wide := eval[int64](t, b, "document.documentElement.scrollWidth"); wide > size.width {
					return fmt.Errorf("%d pixels wide on a screen of %d", wide, size.width)
				}
				return nil
			})
			b.usable(t, name)
			png, err := run(b, chromedp.FullScreenshot(100))
			if err != nil {
				t.Errorf("screenshot: %v", err)
				continue
			}
			keep(t, name+".png", png)
		}
	}
	b.size(t, sizes[0].width, sizes[0].height)
}

func (b *browser) awaitText(t testing.TB, patience time.Duration, selector, text string) {
	t.Helper()
	quoted, _ := json.Marshal(text)
	b.awaitTrue(t, patience, fmt.Sprintf("[...document.querySelectorAll(%q)].some((e) => e.textContent.includes(%s))", selector, quoted), fmt.Sprintf("%s says %q", selector, text))
}

func (b *browser) awaitTrue(t testing.TB, patience time.Duration, expression, what string) {
	t.Helper()
	eventually(t, patience, what, func() error {
		if !eval[bool](t, b, "!!("+expression+")") {
			return fmt.Errorf("not so: %v\n%.1500s", b.found("404"), eval[string](t, b, "document.body.innerText"))
		}
		return nil
	})
}

// click waits for an element, and clicks on it as a person does.
func (b *browser) click(t testing.TB, selector string) {
	t.Helper()
	b.awaitTrue(t, 5*time.Second, fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", selector), selector+" is there")
	if _, err := run(b, chromedp.Click(chromedp.CSS(selector))); err != nil {
		t.Fatalf("click on %s: %v", selector, err)
	}
}

// usable has axe-core judge the page.
func (b *browser) usable(t testing.TB, name string) {
	t.Helper()
	for _, f := range b.axe(t) {
		t.Errorf("%s: %s", name, f)
	}
}
