package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/control"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/gateway"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/runner"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// standIn is AWS behind one endpoint: what is ours, and moto for the rest.
type standIn struct {
	moto       *cloud.Moto
	identities *cloud.Identities
	runner     *runner.Runner // of what is deployed
	invoke     *lambda.API
	upstream   *cloud.Upstream
	handler    http.Handler
}

// site is where a stand-in is, and what it is made of.
type site struct {
	moto      *cloud.Moto
	endpoint  string
	python    string
	home      *home
	quirks    model.Quirks
	decisions io.Writer
	log       *slog.Logger
}

func newStandIn(on site) (*standIn, error) {
	moto, log := on.moto, on.log
	identities := cloud.NewIdentities(moto, region, management, []string{accountA, accountB, management}, time.Now)
	verifier := &sigv4.Verifier{Keys: identities, Now: time.Now}
	decider := iam.Decider{Policies: identities, Record: iam.LogDecisions(on.decisions, log)}
	forwarding := &cloud.Forwarding{Moto: moto, Identities: identities, Decider: decider}
	deployed := runner.New(runner.Options{
		Source: moto, Sessions: identities, Endpoint: on.endpoint, Queues: moto.Config, Forward: forwarding.Forward, Record: decider.Record,
		Python: on.python, Code: on.home.code(), Logs: on.home.logs(), Log: log, Now: time.Now,
	})
	upstream, err := cloud.NewUpstream(moto, verifier, identities)
	if err != nil {
		return nil, err
	}
	upstream.Decider = &decider
	upstream.Redeployed, upstream.TableWritten = deployed.Redeployed, deployed.TableWritten
	upstream.OrganizationCalled = cloud.NewOrganizationTrail(moto, management, time.Now, log).Record
	trail := &cloud.Trail{
		Bus: func(account string) *eventbridge.Client {
			return eventbridge.NewFromConfig(moto.Config(account, region))
		},
		Log: log,
	}
	service := model.New(model.Options{
		Region:     region,
		Principals: identities,
		GatewayURL: func(id string) string { return on.endpoint + gateway.Path(id) },
		Quirks:     on.quirks,
		Changed:    trail.Record,
	})
	dataPlane := gateway.New(gateway.Config{
		Gateways: service, Verifier: verifier, Decider: decider, Principals: identities, Functions: deployed, Region: region,
	})
	s := &standIn{
		moto: moto, identities: identities, runner: deployed, upstream: upstream,
		invoke: &lambda.API{Verifier: verifier, Decider: decider, Functions: deployed},
	}
	services := &cloud.Front{
		Services: map[string]http.Handler{
			"bedrock-agentcore": control.New(service, verifier, decider, time.Now),
			"sts":               control.Identity(verifier, &cloud.STS{Verifier: verifier, Identities: identities, Decider: &decider}),
			"lambda":            http.HandlerFunc(s.lambda),
		},
		Rest: upstream,
	}
	mux := http.NewServeMux()
	mux.Handle("/", services)
	mux.Handle(gateway.Root, dataPlane)
	s.handler = mux
	return s, nil
}

// lambda keeps Lambda's registry in moto, which runs functions only in Docker:
// calls are ours.
func (s *standIn) lambda(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/invocations") {
		s.invoke.ServeHTTP(w, r)
		return
	}
	s.upstream.ServeHTTP(w, r)
}
