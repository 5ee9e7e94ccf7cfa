package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

var (
	start  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ctx    = context.Background()
	caller = model.Caller{Account: owner}
)

// settings are what kind of world it is.
type settings struct {
	quirks model.Quirks
	limits plan.Limits
	faults int // one call in so many fails; 0 for none
	bug    *bug
	trace  bool
	every  bool // every schedule is played, not some

	skewed  bool // functions of two versions run beside each other
	crowded bool // others fill the policies up to AWS's limit
}

// world is everything there is, and what the simulation knows to be true of it.
type world struct {
	chooser
	settings
	now      time.Time
	effects  int // of any actor on anything
	service  *model.Service
	iam      *iam
	org      *organization
	grants   *memory.Grants
	empty    *memory.Grants // the wrong table: it has no sentinel
	accounts *memory.Accounts
	states   *memory.States
	gateways []*gateway

	written map[grant.Key]grant.Attributes // the rows
	lives   map[grant.Key]int              // how often each was deleted

	disliked string // a principal whose documents AWS rejects without a documented reason; "" for none
	expands  bool   // AWS measures documents after it has expanded account ids

	directoryDown, wrongTable bool
	unmarked                  bool // the directory has lost the mark of a complete listing
	tripped                   bool // for a bug that has gateways share it

	people   []*actor
	runs     []*run
	requests []request
	number   int // of the last run
	story    []string
	broken   []violation
}

// gateway is one gateway and what is known of it.
type gateway struct {
	grant.Gateway
	name  string
	stuck bool // every call about it fails, for good

	newerForm bool            // a newer version has recorded it
	inherited bool            // it holds what another deployment left, and no admin has approved
	approved  grant.Approvals // by an admin

	decided decisions     // about visitors, when last worked out
	writes  int           // of its policy, by any actor
	was     []version     // what its policy was lately, the newest last
	late    []lateWrite   // writes that AWS took and has not carried out yet
	puts    []*written    // by the product
	text    string        // as AWS last showed it
	textAt  int           // after so many effects, and one more
	rows    *[]grant.Row  // as they are, unless they changed
	state   *ledger.State // as recorded, unless that changed
	settled moment        // when it was last held to invariant 1

	unverified bool                     // no run has looked at the last put yet
	putAt      int                      // when it was, in effects
	putTime    time.Time                // and by the clock
	gone       map[string]int           // roles that the product has seen to be gone: when
	announced  map[string]int           // roles and users that a write was going to name: as of which read
	left       map[string]bool          // those of them that were deleted since
	unclear    map[string]bool          // those whose unique id one of a deleted role may be
	informed   bool                     // a run has recorded something with a directory at hand
	takeover   string                   // the takeover that its last run has shown; "" for none
	mistaken   map[string]bool          // principals blamed while IAM changed
	notices    int                      // published
	records    int                      // writes to the state table, the journal aside
	before     []grant.Row              // its rows before the last change of them
	changed    time.Time                // when that was
	attempts   int                      // puts and deletions tried
	valid      map[grant.Key][]revision // of its rows, from the last on that was recorded
	wroteOther bool                     // something else than right was tried since
	right      *string                  // the access that was last recorded as right; nil for never
}

type version struct {
	at   time.Time
	text string
}

type written struct {
	text    string
	cause   string
	done    bool // it took effect
	excused bool // its run had no chance to put it into the journal
}

type lateWrite struct {
	put     *written
	by      time.Time // it happens before
	decided int       // as of which read
}

// request asks for a reconcile.
type request struct {
	gateway *gateway
	cause   string
}

func newWorld(c chooser, s settings) *world {
	w := &world{chooser: c, settings: s, now: start, iam: newIAM(s.crowded), org: &organization{}, written: map[grant.Key]grant.Attributes{}, lives: map[grant.Key]int{}}
	clock := func() time.Time { return w.now }
	w.service = model.New(model.Options{Now: clock, Principals: w.iam, Quirks: s.quirks, Partition: partition, Rand: rand.New(rand.NewPCG(1, 2))})
	config := memory.Config{Now: clock}
	w.grants, w.empty = memory.NewGrants(config), memory.NewGrants(config)
	w.accounts, w.states = memory.NewAccounts(config), memory.NewStates(config)
	must(w.grants.PutSentinel(ctx))
	must(w.accounts.PutListSentinels(ctx))
	names := []string{"one", "two"}
	if s.every {
		names = names[:1]
	}
	for _, name := range names {
		w.gateways = append(w.gateways, w.create(name))
	}
	return w
}

func (w *world) create(name string) *gateway {
	created, err := w.service.CreateGateway(caller, model.CreateGatewayInput{
		GatewaySettings: model.GatewaySettings{Name: name, RoleARN: inIAM(owner, "role/GatewayRole"), ProtocolType: "MCP", AuthorizerType: model.AWSIAM},
		Tags:            map[string]string{plan.ManagedTag: plan.ManagedValue},
	})
	must(err)
	parsed, err := grant.ParseGateway(created.ARN)
	must(err)
	return &gateway{Gateway: parsed, name: name, gone: map[string]int{},
		announced: map[string]int{}, left: map[string]bool{}, unclear: map[string]bool{}, mistaken: map[string]bool{}, valid: map[grant.Key][]revision{},
	}
}

// must stops a simulation that cannot go on: its own machinery failed.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// oneIn is true once in n times.
func (w *world) oneIn(n int) bool { return w.pick(n) == 0 }

// text is the policy as AWS would show it now, "" for none. It changes with an
// effect only.
func (w *world) text(g *gateway) string {
	if g.textAt != w.effects+1 {
		g.text, g.textAt = w.read(g), w.effects+1
	}
	return g.text
}

func (w *world) read(g *gateway) string {
	text, err := w.service.GetResourcePolicy(caller, g.ARN())
	if failure, ok := err.(*model.Error); ok && failure.Code == model.ResourceNotFound { //nolint:errorlint // the model returns nothing else
		return ""
	}
	must(err)
	return text
}

func parse(text string) *policy.Document {
	if text == "" {
		return nil
	}
	document, err := policy.Parse([]byte(text))
	must(err)
	return document
}

// reach is how far back a stale read may show a policy.
const reach = 30 * time.Second

// product notes that a write of the product has taken effect.
func (w *world) product(g *gateway) {
	w.wrote(g)
	g.unverified, g.putAt, g.putTime = true, w.effects, w.now
}

// wrote notes what a gateway's policy has become.
func (w *world) wrote(g *gateway) {
	w.effects++
	g.writes++
	for len(g.was) > 1 && w.now.Sub(g.was[1].at) > reach {
		g.was = g.was[1:]
	}
	g.was = append(g.was, version{w.now, w.text(g)})
}

// log adds a line to the story of a schedule that is replayed.
func (w *world) log(format string, arguments ...any) {
	if w.trace {
		line := fmt.Sprintf(format, arguments...)
		w.story = append(w.story, w.now.Format("15:04:05 ")+line)
	}
}

func (w *world) storyText() string { return strings.Join(w.story, "\n") }
