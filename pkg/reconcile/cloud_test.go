package reconcile_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/noticetest"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

var owner = model.Caller{Account: "111122223333"}

// everyone is an IAM in which every account exists, and every role and user that
// is not named in missing.
type everyone struct {
	missing   map[string]bool
	recreated map[string]bool // deleted, and created by someone else under the same name
}

func (e everyone) UniqueID(arn string) (string, error) {
	if e.missing[arn] {
		return "", nil
	}
	if strings.HasSuffix(arn, ":root") {
		return strings.Split(arn, ":")[4], nil
	}
	if e.recreated[arn] {
		arn += "recreated"
	}
	return "AROA" + strings.ToUpper(strings.NewReplacer(":", "", "/", "", "-", "").Replace(arn)), nil
}

// gateways has the model answer as AWS would. Its hooks run around the calls.
type gateways struct {
	service   *model.Service
	refuses   func(document *policy.Document) bool // as if a principal were invalid
	beforePut func() error
	afterPut  func() error
	writes    int
}

func (g *gateways) Describe(_ context.Context, gateway grant.Gateway) (plan.Observed, error) {
	found, exists := g.service.Lookup(gateway.ID())
	if !exists {
		return plan.Observed{Gateway: gateway}, nil
	}
	tags := g.service.Tags(found.ARN)
	return plan.Observed{
		Gateway: gateway, Exists: true, Authorizer: string(found.AuthorizerType), Status: string(found.Status),
		Managed: tags[plan.ManagedTag] == plan.ManagedValue,
	}, nil
}

func (g *gateways) Policy(_ context.Context, gateway grant.Gateway) (*policy.Document, error) {
	text, err := g.service.GetResourcePolicy(owner, gateway.ARN())
	if err != nil || text == "" {
		return nil, ignoreNotFound(err)
	}
	return policy.Parse([]byte(text))
}

func (g *gateways) PutPolicy(_ context.Context, gateway grant.Gateway, document *policy.Document) error {
	return g.write(func() error {
		if g.refuses != nil && g.refuses(document) {
			return &grant.Error{Code: reconcile.CodePrincipalRejected, Op: "put the resource policy", Err: errors.New("Invalid principal in policy")}
		}
		_, err := g.service.PutResourcePolicy(owner, gateway.ARN(), document.String())
		return refused(err)
	})
}

func (g *gateways) DeletePolicy(_ context.Context, gateway grant.Gateway) error {
	return g.write(func() error {
		return ignoreNotFound(g.service.DeleteResourcePolicy(owner, gateway.ARN()))
	})
}

func (g *gateways) write(effect func() error) error {
	g.writes++
	if g.beforePut != nil {
		if err := g.beforePut(); err != nil {
			return err
		}
	}
	if err := effect(); err != nil {
		return err
	}
	if g.afterPut != nil {
		return g.afterPut()
	}
	return nil
}

func ignoreNotFound(err error) error {
	var failure *model.Error
	if errors.As(err, &failure) && failure.Code == model.ResourceNotFound {
		return nil
	}
	return err
}

func refused(err error) error {
	var failure *model.Error
	if errors.As(err, &failure) && strings.Contains(failure.Message, "Invalid principal") {
		return &grant.Error{Code: reconcile.CodePrincipalRejected, Op: "put the resource policy", Err: err}
	}
	if failure != nil && strings.Contains(failure.Message, "length less than or equal to") {
		return &grant.Error{Code: reconcile.CodePolicyTooLarge, Op: "put the resource policy", Err: err}
	}
	if failure != nil && failure.Code == model.Validation {
		return &grant.Error{Code: reconcile.CodeInvalidPolicy, Op: "put the resource policy", Err: err}
	}
	return err
}

// notices keeps what was published, and holds each against its schema.
type notices struct {
	t         testing.TB
	schemas   noticetest.Schemas
	published []plan.Notice
}

func (n *notices) Publish(_ context.Context, published []plan.Notice) error {
	for _, notice := range published {
		n.schemas.Check(n.t, event.Source, string(notice.Type), notice.Detail)
	}
	n.published = append(n.published, published...)
	return nil
}

func (n *notices) types() []plan.NoticeType {
	var types []plan.NoticeType
	for _, notice := range n.published {
		types = append(types, notice.Type)
	}
	return types
}

// cloud is one managed gateway, its tables, and a reconciler for it.
type cloud struct {
	t          testing.TB
	now        time.Time
	iam        everyone
	gateways   *gateways
	grants     *memory.Grants
	accounts   *memory.Accounts
	states     *memory.States
	notices    *notices
	gateway    grant.Gateway
	reconciler *reconcile.Reconciler
}

func newCloud(t testing.TB, quirks ...model.Quirk) *cloud {
	t.Helper()
	c := &cloud{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), iam: everyone{map[string]bool{}, map[string]bool{}}, notices: &notices{t: t, schemas: noticetest.Read(t, "../..")}}
	clock := func() time.Time { return c.now }
	service := model.New(model.Options{Now: clock, Principals: c.iam, Quirks: quirks, Rand: rand.New(rand.NewPCG(1, 2))})
	created, err := service.CreateGateway(owner, model.CreateGatewayInput{
		GatewaySettings: model.GatewaySettings{Name: "story", RoleARN: "arn:aws:iam::111122223333:role/GatewayRole", ProtocolType: "MCP", AuthorizerType: model.AWSIAM},
		Tags:            map[string]string{plan.ManagedTag: plan.ManagedValue},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.gateway, err = grant.ParseGateway(created.ARN); err != nil {
		t.Fatal(err)
	}
	config := memory.Config{Now: clock}
	c.gateways = &gateways{service: service}
	c.grants, c.accounts, c.states = memory.NewGrants(config), memory.NewAccounts(config), memory.NewStates(config)
	if err := errors.Join(c.grants.PutSentinel(t.Context()), c.accounts.PutListSentinels(t.Context())); err != nil {
		t.Fatal(err)
	}
	c.reconciler = reconcile.New(reconcile.Dependencies{
		Gateways: c.gateways, Grants: c.grants, Directory: c.accounts, States: c.states, Notices: c.notices,
		Now: clock, Log: slog.New(slog.DiscardHandler),
	}, plan.DefaultLimits())
	return c
}

// grant writes a row; attributes come in pairs.
func (c *cloud) grant(id, principal string, pairs ...any) {
	c.t.Helper()
	attributes := grant.Attributes{"gateway": c.gateway.ARN(), "grant": id, "principal": principal}
	for i := 0; i < len(pairs); i += 2 {
		attributes[pairs[i].(string)] = pairs[i+1]
	}
	if err := c.grants.Put(c.t.Context(), attributes, false); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) revoke(id string) {
	c.t.Helper()
	if _, err := c.grants.Delete(c.t.Context(), c.key(id)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) key(id string) grant.Key { return grant.Key{Gateway: c.gateway.ARN(), ID: id} }

// reconcile runs the loop and fails the test if the outcome was not recorded.
func (c *cloud) reconcile() reconcile.Result {
	c.t.Helper()
	result, err := c.reconciler.Reconcile(c.t.Context(), c.gateway, reconcile.Cause{Text: "test"})
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

func (c *cloud) state() ledger.State {
	c.t.Helper()
	state, err := c.states.Load(c.t.Context(), c.gateway)
	if err != nil {
		c.t.Fatal(err)
	}
	return state
}

// update is another run that records something.
func (c *cloud) update(transition ledger.Transition) error {
	_, err := c.states.Update(c.t.Context(), c.gateway, c.state(), transition)
	return err
}

// principals are all that the policy lets in, sorted; conditions aside.
func (c *cloud) principals() []string {
	c.t.Helper()
	document, err := c.gateways.Policy(c.t.Context(), c.gateway)
	if err != nil {
		c.t.Fatal(err)
	}
	var all []string
	if document != nil {
		for _, s := range document.Statements {
			if s.Effect == policy.Allow {
				all = append(all, s.Principal.AWS...)
			}
		}
	}
	for i, principal := range all {
		if len(principal) == len("444455556666") {
			all[i] = "arn:aws:iam::" + principal + ":root"
		}
	}
	slices.Sort(all)
	return all
}

// reconcileUntilSettled follows the due times until a run ends well and nothing
// waits to be read back any more.
func (c *cloud) reconcileUntilSettled() {
	c.t.Helper()
	for range 5 {
		result := c.reconcile()
		c.now = c.now.Add(3 * time.Minute)
		if result.Failure == nil && result.Writes == 0 {
			return
		}
	}
	c.t.Fatalf("not settled: %+v", c.state().Gateway)
}

// putByHand is another writer that puts the whole policy.
func (c *cloud) putByHand(statements string) {
	c.t.Helper()
	text := `{"Version":"2012-10-17","Statement":[` + strings.ReplaceAll(statements, "GATEWAY", c.gateway.ARN()) + `]}`
	if _, err := c.gateways.service.PutResourcePolicy(owner, c.gateway.ARN(), text); err != nil {
		c.t.Fatal(err)
	}
}

// settleFor follows the due times for some hours.
func (c *cloud) settleFor(hours int) {
	c.t.Helper()
	for end := c.now.Add(time.Duration(hours) * time.Hour); c.now.Before(end); {
		c.reconcile()
		next := c.state().Gateway.Due
		if next.IsZero() || next.After(end) {
			next = end
		}
		c.now = next.Add(time.Minute)
	}
}

// eachQuirk runs with each undocumented answer alone, and with all of them but two,
// with which it could not show what it is for: an AWS that shows lists and takes none,
// and one that refuses every list of principals.
func eachQuirk(t *testing.T, story func(c *cloud)) {
	t.Helper()
	each, all := map[string][]model.Quirk{"none of them": nil}, []model.Quirk{}
	for _, quirk := range model.AllQuirks() {
		each[string(quirk.Quirk)] = []model.Quirk{quirk.Quirk}
		if quirk.Quirk != model.ScalarsAsLists && quirk.Quirk != model.PrincipalListsRefused {
			all = append(all, quirk.Quirk)
		}
	}
	each["all of them"] = all
	for name, quirks := range each {
		t.Run(name, func(t *testing.T) { story(newCloud(t, quirks...)) })
	}
}
