package boot_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// BenchmarkColdStart is how long a function takes from exec to its first request
// for an event, against a bare handler that has the same AWS clients, in turns.
// The ratio is of the medians; bytes are the executable's.
func BenchmarkColdStart(b *testing.B) {
	bare := map[string]string{
		"table-changes": "reconciler", "gateway-events": "reconciler", "sweep": "reconciler", "organization": "organization", "echo": "echo",
	}
	asked := make(chan time.Time, 1)
	block := make(chan struct{})
	runtime := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- time.Now()
		<-block // there is no event
	}))
	defer runtime.Close()
	defer close(block)
	for _, name := range []string{"table-changes", "gateway-events", "organization", "sweep", "echo"} {
		b.Run(name, func(b *testing.B) {
			function, yardstick := deployable(b, "amd64", "../../"+name), deployable(b, "amd64", "./testdata/bare/"+bare[name])
			var ours, theirs []time.Duration
			for b.Loop() {
				ours = append(ours, coldStart(b, function, runtime.Listener.Addr().String(), asked))
				theirs = append(theirs, coldStart(b, yardstick, runtime.Listener.Addr().String(), asked))
			}
			b.ReportMetric(milliseconds(median(ours)), "ms")
			b.ReportMetric(milliseconds(median(theirs)), "bare-ms")
			b.ReportMetric(float64(median(ours))/float64(median(theirs)), "ratio")
			b.ReportMetric(size(b, function), "bytes")
			b.ReportMetric(size(b, yardstick), "bare-bytes")
		})
	}
}

// coldStart runs the function until it asks the runtime API at address for its
// first event.
func coldStart(b *testing.B, path, address string, asked <-chan time.Time) time.Duration {
	b.Helper()
	command := exec.Command(path)
	command.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + address, "AWS_LAMBDA_FUNCTION_NAME=cold", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=" + credentials["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY=" + credentials["AWS_SECRET_ACCESS_KEY"],
	}
	started := time.Now()
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait() // it was killed
	}()
	select {
	case at := <-asked:
		return at.Sub(started)
	case <-time.After(10 * time.Second): // what Lambda gives a function to start
		b.Fatal("it does not ask for an event")
		return 0
	}
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func size(b *testing.B, path string) float64 {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size())
}
