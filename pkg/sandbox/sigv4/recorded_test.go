package sigv4_test

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// The files in testdata are requests as they were sent by the AWS CLI, boto3,
// mcp-proxy-for-aws and curl with longTerm's key, some of them with a token.
func TestRequestsOfOtherClientsAreAccepted(t *testing.T) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) < 8 {
		t.Fatalf("recorded requests: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			verify := func(raw []byte) error {
				r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
				if err != nil {
					t.Fatal(err)
				}
				sent, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
				if err != nil {
					t.Fatal(err)
				}
				key := longTerm
				key.SessionToken = r.Header.Get("X-Amz-Security-Token")
				verifier := &sigv4.Verifier{Keys: keys{key.ID: key}, Now: func() time.Time { return sent }}
				_, err = verifier.Verify(r, sigv4.Expect{Region: "us-east-1", MaxBody: 1 << 10})
				return err
			}
			if err := verify(raw); err != nil {
				t.Errorf("as recorded: %v", err)
			}
			// The same request to another host must fail, or the acceptance above
			// says nothing.
			if err := verify(bytes.Replace(raw, []byte(":18999"), []byte(":18998"), 1)); err == nil {
				t.Error("for another host: accepted")
			}
			if strings.Contains(string(raw), longTerm.Secret) {
				t.Error("the recording holds the secret")
			}
		})
	}
}
