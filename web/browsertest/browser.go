// Package browsertest drives a page in Chromium for a test: it opens, clicks,
// types, waits and reads. It also fails the test for what the test did not ask
// about: an error on the console, a violation of the content security policy, a
// request to anything but the server under test.
//
// It is the only package that uses chromedp. It starts no server and does not
// know what is on the page. It skips the test with -short, and also without
// Chromium unless MEDASSIST_BROWSER=required, as in CI.
package browsertest

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// timeout is how long anything on a page may take before the test fails.
const timeout = 45 * time.Second

// A Browser is a running Chromium with an empty profile. Every page that it opens
// has cookies and storage of its own.
type Browser struct {
	ctx     context.Context
	profile string
	stop    []context.CancelFunc // in order
}

// shared is the test binary's browser: to start one takes longer than most tests.
var shared struct {
	sync.Mutex
	*Browser
}

// Start returns the test binary's browser, started by the first test that asks
// for it. The package's TestMain stops it: see Main.
func Start(t testing.TB) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("drives a browser")
	}
	path := executable()
	if path == "" {
		if os.Getenv("MEDASSIST_BROWSER") == "required" {
			t.Fatal("Chromium is required, and is not installed")
		}
		t.Skip("Chromium is not installed")
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.Browser == nil {
		b, err := start(path)
		if err != nil {
			t.Fatalf("start %s: %v", path, err)
		}
		shared.Browser = b
	}
	return shared.Browser
}

// parallel is how many tests run at once. They wait most of the time.
const parallel = 5

// Main returns m with a Run that stops the browser after the tests, for a
// package's TestMain.
func Main(m *testing.M) interface{ Run() int } { return stopping{m} }

type stopping struct{ *testing.M }

func (s stopping) Run() int {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(parallel, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.Browser != nil {
			shared.Browser.close()
		}
	}()
	return s.M.Run()
}

func start(path string) (*Browser, error) {
	profile, err := os.MkdirTemp("", "medassist-browser-")
	if err != nil {
		return nil, err
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("force-device-scale-factor", "1"),
		chromedp.Flag("hide-scrollbars", true),
	)
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // Chromium refuses to sandbox root
	}
	alloc, endProcess := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, closeBrowser := chromedp.NewContext(alloc)
	b := &Browser{ctx, profile, []context.CancelFunc{closeBrowser, endProcess}}
	if err := chromedp.Do(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *Browser) close() {
	for _, stop := range b.stop {
		stop()
	}
	_ = os.RemoveAll(b.profile) // a temporary folder: the system removes what is left
}

// executable returns the path of the browser. The headless shell is preferred: it
// has no windows, which take more time than the pages in them.
func executable() string {
	for _, name := range []string{"chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
	if _, err := os.Stat(mac); err == nil {
		return mac
	}
	return ""
}

// Screen is what a page is shown on.
type Screen struct {
	Width, Height int64 // CSS pixels
	Touch         bool
	Light         bool // the reader prefers a light theme
	Still         bool // the reader prefers reduced motion
	NoScript      bool // scripts do not run
}

// Screens that the pages are designed for.
var (
	Laptop    = Screen{Width: 1280, Height: 720}
	Projector = Screen{Width: 1920, Height: 1080}
	Phone     = Screen{Width: 390, Height: 844, Touch: true}
)

// InLight returns the screen with a light theme.
func (s Screen) InLight() Screen { s.Light = true; return s }

// WithoutScript returns the screen of a browser that runs no scripts.
func (s Screen) WithoutScript() Screen { s.NoScript = true; return s }

// WithReducedMotion returns the screen of a reader who prefers reduced motion.
func (s Screen) WithReducedMotion() Screen { s.Still = true; return s }

// set makes a tab look like the screen.
func (s Screen) set() chromedp.Action[chromedp.Void] {
	var as []chromedp.EmulateViewportOption
	if s.Touch {
		as = append(as, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	scheme, motion := "dark", "no-preference"
	if s.Light {
		scheme = "light"
	}
	if s.Still {
		motion = "reduce"
	}
	return chromedp.Steps(
		chromedp.EmulateViewport(s.Width, s.Height, as...),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme},
					{Name: "prefers-reduced-motion", Value: motion},
				}})
			if err == nil {
				// A tab in the background holds its streams until it is shown again, so
				// each of a test's tabs is treated as focused.
				_, err = chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
			}
			if err == nil && s.NoScript {
				_, err = chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			}
			return err
		}),
	)
}
