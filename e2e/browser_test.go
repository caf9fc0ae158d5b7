package e2e

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium with a fresh profile and one page.
type browser struct {
	ctx context.Context

	mu       sync.Mutex
	urls     map[network.RequestID]string
	requests int
	faults   []string // what a person with the developer tools open would frown at
}

//go:embed testdata/watch.js
var watchScript string

// stage lets few tests play in browsers at a time: of a dozen browsers on two processors none
// plays well. A test that is on it may start as many as it likes.
var stage = struct {
	sync.Cond
	browsers map[string]int // of each test
}{Cond: sync.Cond{L: new(sync.Mutex)}, browsers: make(map[string]int)}

// enterStage waits until there is room for the test that t belongs to. It leaves when t ends.
func enterStage(t testing.TB) {
	const most = 2
	test, _, _ := strings.Cut(t.Name(), "/")
	stage.L.Lock()
	defer stage.L.Unlock()
	for stage.browsers[test] == 0 && len(stage.browsers) >= most {
		stage.Wait()
	}
	stage.browsers[test]++
	t.Cleanup(func() {
		stage.L.Lock()
		defer stage.L.Unlock()
		if stage.browsers[test]--; stage.browsers[test] == 0 {
			delete(stage.browsers, test)
		}
		stage.Broadcast()
	})
}

// browse starts a browser until the test ends.
func browse(t testing.TB) *browser {
	t.Helper()
	needs(t, "chromium")
	enterStage(t)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath("chromium"),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Env("TMPDIR="+clipDir), // it leaves things there
		chromedp.NoSandbox,              // containers run tests as root
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return newPage(t, ctx)
}

// tab opens another page in the same browser.
func (b *browser) tab(t testing.TB) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	return newPage(t, ctx)
}

func newPage(t testing.TB, ctx context.Context) *browser {
	t.Helper()
	b := &browser{ctx: ctx, urls: make(map[network.RequestID]string)}
	// The browser lives as long as this context, so it has no deadline.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	if err := chromedp.Listen(ctx, b.event); err != nil {
		t.Fatal(err)
	}
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error {
			_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchScript})
			return err
		},
	} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// event collects faults. It runs in the loop that reads the browser's messages.
func (b *browser) event(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fault := func(format string, args ...any) { b.faults = append(b.faults, fmt.Sprintf(format, args...)) }
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, a := range e.Args {
				words = append(words, string(a.Value)+a.Description)
			}
			fault("console: %s", strings.Join(words, " "))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		fault("exception: %s", text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			fault("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		b.requests++
		b.urls[e.RequestID] = e.Request.URL
		if e.RedirectResponse != nil {
			fault("redirect: %s to %s", e.RedirectResponse.URL, e.Request.URL)
		}
		if u, err := url.Parse(e.Request.URL); err == nil && strings.HasPrefix(u.Scheme, "http") && u.Hostname() != "127.0.0.1" {
			fault("request to another host: %s", e.Request.URL)
		}
	case *network.EventLoadingFailed:
		// Players abort what they no longer want.
		if !e.Canceled {
			fault("network: %s: %s", b.urls[e.RequestID], e.ErrorText)
		}
	}
}

// found returns the faults so far, but for those that a pattern is in.
func (b *browser) found(but ...string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.faults), func(f string) bool {
		return slices.ContainsFunc(but, func(p string) bool { return strings.Contains(f, p) })
	})
}

// run gives an action a deadline.
func run[T any](b *browser, a chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	return chromedp.Run(ctx, a)
}

func (b *browser) open(t testing.TB, url string) {
	t.Helper()
	if _, err := run(b, chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}

// eval evaluates an expression in the page.
func eval[T any](t testing.TB, b *browser, expression string) T {
	t.Helper()
	v, err := run(b, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (b *browser) screenshot(t testing.TB, name string) {
	t.Helper()
	png, err := run(b, chromedp.CaptureScreenshot())
	if err != nil {
		t.Errorf("screenshot: %v", err)
		return
	}
	keep(t, name+".png", png)
}

func (b *browser) size(t testing.TB, width, height int64) {
	t.Helper()
	if _, err := run(b, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatal(err)
	}
}

// cookies counts what the browser was made to keep.
func (b *browser) cookies(t testing.TB) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	r, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{})
	if err != nil {
		t.Fatal(err)
	}
	return len(r.Cookies)
}

// mediaEvent is what watch.js writes down.
type mediaEvent struct {
	Type string  `json:"type"`
	At   float64 `json:"at"`   // s
	Time float64 `json:"time"` // currentTime
	Rate float64 `json:"rate"`
}

// sample is a look at the video element.
type sample struct {
	At      float64 `json:"at"`
	Time    float64 `json:"time"`
	Rate    float64 `json:"rate"`
	Ahead   float64 `json:"ahead"` // s that are buffered
	Paused  bool    `json:"paused"`
	Dropped int     `json:"dropped"`
	Total   int     `json:"total"`
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	Audio   int     `json:"audio"` // bytes decoded
	Late    float64 `json:"late"`  // s that a timer of the page was late since the sample before
}
