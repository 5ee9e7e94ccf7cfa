// Package cloud puts the AWS services that are not ours behind the sandbox: a
// moto server (DynamoDB and Streams, IAM, STS, EventBridge, Organizations, …)
// that it starts, watches and stops.
package cloud

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Options say how to run a moto server.
type Options struct {
	Python string // the interpreter that has moto[server]; required
	Log    string // file that takes moto's output, written afresh; required
	// Accounts are the ids of the first accounts that Organizations makes. The
	// first of all is the management account's, which it has already and drops.
	Accounts []string
	// Events is a URL that takes, as a POST of a RuleMatch, every event that a rule
	// picks for a function. Without one a rule may have no function as its target.
	Events string
}

//go:embed motoserver/*.py
var server embed.FS

// Moto is a running moto server. It keeps everything in memory.
type Moto struct {
	*process
	endpoint string
	iam      iamViews
}

// listening is what werkzeug logs once its socket takes connections.
var listening = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// StartMoto starts a moto server on a free loopback port and returns when it
// takes requests, within 30 seconds or with an error that names the log. The
// caller must Stop it. It also ends when this process does.
func StartMoto(ctx context.Context, options Options) (*Moto, error) {
	if options.Python == "" || options.Log == "" {
		return nil, errors.New("starting moto: Options need Python and Log")
	}
	// Roles that templates make name AWS managed policies, which moto loads only on demand.
	env := plainEnvironment("PYTHONUNBUFFERED=1", "MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	if options.Events != "" {
		env = append(env, "SANDBOX_EVENTS="+options.Events)
	}
	program, err := writeServer()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(program) // once it answers, all of it is loaded
	command := append([]string{options.Python, filepath.Join(program, "serve.py")}, options.Accounts...)
	process, err := spawn("moto", options.Log, env, append(command, "--", "-H", "127.0.0.1", "-p", "0")...)
	if err != nil {
		return nil, err
	}
	moto := &Moto{process: process}
	err = process.until(ctx, func() bool {
		if found := listening.FindSubmatch(process.output()); found != nil {
			moto.endpoint = string(found[1])
		}
		return moto.endpoint != ""
	})
	if err != nil {
		return nil, err
	}
	return moto, nil
}

// writeServer writes the server's source to a directory of its own.
func writeServer() (directory string, err error) {
	directory, err = os.MkdirTemp("", "sandbox-moto-")
	if err != nil {
		return "", fmt.Errorf("writing the source of the moto server: %w", err)
	}
	source, err := fs.Sub(server, "motoserver")
	if err == nil {
		err = os.CopyFS(directory, source)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("writing the source of the moto server: %w", err), os.RemoveAll(directory))
	}
	return directory, nil
}

// accountHeader names the account that a request acts in. Without it moto takes
// the account of the access key's owner, or 123456789012.
const accountHeader = "X-Moto-Account-Id"

// Endpoint is the server's URL, for an AWS client's BaseEndpoint. It checks no
// signature.
func (m *Moto) Endpoint() string { return m.endpoint }

// Config makes AWS clients that act in the account, straight on moto.
func (m *Moto) Config(account, region string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(m.endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("SANDBOX", "unchecked", ""),
		HTTPClient:   &http.Client{Transport: inAccount{account, m}},
	}
}

// transport carries every request to moto.
func (m *Moto) transport() http.RoundTripper { return watching{&m.iam} }

// inAccount sends requests as one account.
type inAccount struct {
	account string
	moto    *Moto
}

func (t inAccount) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(accountHeader, t.account)
	return t.moto.transport().RoundTrip(r) //nolint:wrapcheck // a transport's error is the client's to wrap
}
