package report_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// browser is one page in a headless Chromium, spoken to by the DevTools protocol over
// pipes: https://chromedevtools.github.io/devtools-protocol/
type browser struct {
	t       *testing.T
	to      io.Writer
	from    *bufio.Reader
	session string
	sent    int
	events  []event // that arrived while an answer was waited for
}

type event struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// newBrowser starts Chromium, or skips the test where there is none. CI has to have it.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Chromium: run by make test, not with -short")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed: .ci/setup chromium")
		}
		t.Skip("chromium is not installed: run .ci/setup chromium")
	}
	// Its processes may write for a moment after they are killed, so that this is no
	// directory of the test's.
	profile, err := os.MkdirTemp("", "report-test-") //nolint:usetesting // as above
	if err != nil {
		t.Fatal(err)
	}
	read, write := pipe(t), pipe(t)
	command := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "--window-size=1400,1000", "about:blank")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end all of its processes
	command.ExtraFiles = []*os.File{read[0], write[1]}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // it has nothing to lose
		_ = command.Wait()
		_ = os.RemoveAll(profile)
	})
	b := &browser{t: t, to: read[1], from: bufio.NewReaderSize(write[0], 1<<20)}
	var target struct {
		TargetID string `json:"targetId"`
	}
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func pipe(t *testing.T) [2]*os.File {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = read.Close() // the browser is gone
		_ = write.Close()
	})
	return [2]*os.File{read, write}
}

// call sends a command and waits for its answer.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.sent++
	message := map[string]any{"id": b.sent, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		var answer struct {
			event

			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  *struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		b.receive(&answer)
		switch {
		case answer.ID != b.sent:
			b.events = append(b.events, answer.event)
			continue
		case answer.Error != nil:
			b.t.Fatalf("%s: %s", method, answer.Error.Message)
		case result != nil:
			if err := json.Unmarshal(answer.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

func (b *browser) receive(to any) {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("chromium ended: %v", err)
	}
	if err := json.Unmarshal(text[:len(text)-1], to); err != nil {
		b.t.Fatal(err)
	}
}

// open shows a page, and returns once its script is done.
func (b *browser) open(page string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.events = nil
	b.call("Page.navigate", map[string]any{"url": "file://" + file}, nil)
	b.until(`location.protocol === "file:" && document.documentElement?.dataset.ready === "true" && document.readyState === "complete"`)
}

// eval evaluates an expression in the page, as JSON.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	var answer struct {
		Result struct {
			Value T `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.Exception != nil {
		b.t.Fatalf("%s: %s %s", expression, answer.Exception.Text, answer.Exception.Exception.Description)
	}
	return answer.Result.Value
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) { //nolint:forbidigo // waits for a real process
		if eval[bool](b, expression) {
			return
		}
	}
	b.t.Fatalf("never true: %s", expression)
}

// text is what an element shows.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("[...document.querySelectorAll(%q)].map(node => node.innerText).join('\\n')", selector))
}

// goTo shows a section, as a link to it does.
func (b *browser) goTo(fragment string) {
	b.t.Helper()
	eval[string](b, fmt.Sprintf("location.hash = %q", fragment))
	b.until("document.querySelector('main section').getAttribute('aria-label') === " + fmt.Sprintf("%q", strings.Split(fragment, "?")[0]))
}

// computed is how long the page's thread has computed, in milliseconds, where that is
// enabled. https://chromedevtools.github.io/devtools-protocol/tot/Performance/
func (b *browser) computed() float64 {
	b.t.Helper()
	var answer struct {
		Metrics []struct {
			Name  string  `json:"name"`
			Value float64 `json:"value"` // in seconds
		} `json:"metrics"`
	}
	b.call("Performance.getMetrics", nil, &answer)
	for _, m := range answer.Metrics {
		if m.Name == "TaskDuration" {
			return 1000 * m.Value
		}
	}
	b.t.Fatalf("chromium does not measure: %v", answer.Metrics)
	return 0
}

// press presses keys, by their names.
func (b *browser) press(keys ...string) {
	b.t.Helper()
	codes := map[string]int{"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowRight": 39, "End": 35, "Tab": 9}
	for _, key := range keys {
		event := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
		if key == "Enter" {
			event["text"] = "\r"
		}
		b.call("Input.dispatchKeyEvent", event, nil)
		b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}, nil)
	}
}

// typed types text into an element.
func (b *browser) typed(selector, text string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf("(node => { node.focus(); node.value = ''; return true })(document.querySelector(%q))", selector))
	b.call("Input.insertText", map[string]any{"text": text}, nil)
}

func (b *browser) colours(scheme string) {
	b.t.Helper()
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// complaints are errors and warnings of the page, and requests of anything but itself.
func (b *browser) complaints() []string {
	b.t.Helper()
	eval[bool](b, "true") // and all events before it
	var all []string
	for _, e := range b.events {
		params := string(e.Params)
		request := e.Method == "Network.requestWillBeSent" && !strings.Contains(params, `"type":"Document"`)
		if request || e.Method == "Runtime.exceptionThrown" || e.Method == "Runtime.consoleAPICalled" || e.Method == "Log.entryAdded" {
			all = append(all, e.Method+" "+params)
		}
	}
	return all
}

// screenshot keeps a picture where SCREENSHOTS names a directory, to be looked at.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	directory := os.Getenv("SCREENSHOTS")
	if directory == "" {
		return
	}
	var picture struct {
		Data string `json:"data"`
	}
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &picture)
	bytes, err := base64.StdEncoding.DecodeString(picture.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(directory, name+".png"), bytes, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
