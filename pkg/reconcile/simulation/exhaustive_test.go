package simulation

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// replay makes the choices that it was given, and then always the first; it notes
// how many there were to choose from.
type replay struct {
	choices, from []int
	at            int
}

func (r *replay) pick(n int) int {
	if r.at == len(r.choices) {
		r.choices, r.from = append(r.choices, 0), append(r.from, n)
	}
	r.at++
	return r.choices[r.at-1]
}

// next turns to the next schedule, depth first. It is false when there is none.
func (r *replay) next() bool {
	for len(r.choices) > 0 {
		last := len(r.choices) - 1
		if r.choices[last]++; r.choices[last] < r.from[last] {
			r.at = 0
			return true
		}
		r.choices, r.from = r.choices[:last], r.from[:last]
	}
	return false
}

// learn adds an answer to the run's history, on which its behavior depends.
func (n *run) learn(call string, err error) {
	answers := []string{n.history, call, text(err)}
	switch call {
	case "ForGateway":
		for _, row := range n.rows {
			answers = append(answers, row.ID, row.Revision)
		}
	case "Policy":
		answers = append(answers, n.visible)
	case "Load":
		answers = append(answers, fmt.Sprint(n.state))
	}
	n.history = digest(answers...)
}

func digest(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return string(sum[:12])
}

// fingerprint is the same for two worlds that have the same future.
func (w *world) fingerprint(actors []*actor) string {
	g := w.gateways[0]
	whole := []string{w.text(g), fmt.Sprint(w.state(g), g.unverified)}
	for _, row := range w.rows(g) {
		whole = append(whole, row.ID, row.Revision)
	}
	for _, a := range actors {
		whole = append(whole, a.name, a.at)
	}
	for _, n := range w.runs {
		whole = append(whole, n.name, n.history, strconv.FormatBool(n.readAt > g.putAt))
	}
	return digest(whole...)
}

// tiny is a world in which every schedule can be played.
type tiny struct {
	name    string
	runs    int
	crashes int
	long    bool // takes minutes: only where simulations are asked for
	before  func(w *world)
	people  func(w *world) []*actor
}

var tinies = []tiny{
	{
		name: "two runs and a revocation", runs: 2,
		before: func(w *world) { w.stands("old", accountA) },
		people: func(w *world) []*actor { return []*actor{w.once("admin", func() { w.revoke(w.key("old")) })} },
	},
	{
		name: "a run, a revocation and a foreign statement", runs: 1,
		before: func(w *world) { w.stands("old", accountA) },
		people: func(w *world) []*actor {
			return []*actor{w.once("admin", func() { w.revoke(w.key("old")) }), w.foreignOnce()}
		},
	},
	{
		name: "two runs after a revocation, and a foreign statement", runs: 2,
		before: func(w *world) { w.stands("old", accountA); w.revoke(w.key("old")) },
		people: func(w *world) []*actor { return []*actor{w.foreignOnce()} },
	},
	{
		name: "two runs, a revocation and a foreign statement", runs: 2, long: true,
		before: func(w *world) { w.stands("old", accountA) },
		people: func(w *world) []*actor {
			return []*actor{w.once("admin", func() { w.revoke(w.key("old")) }), w.foreignOnce()}
		},
	},
	{
		name: "two runs of which one may crash, a mistaken row and a revocation", runs: 2, crashes: 1,
		before: func(w *world) { w.stands("old", accountA); w.grant(w.plain("mistaken", "everyone")) },
		people: func(w *world) []*actor { return []*actor{w.once("admin", func() { w.revoke(w.key("old")) })} },
	},
	{
		// One reads the policy before the other takes the unique id out and lets the new role in.
		name: "two runs after a role was deleted and another was granted", runs: 2,
		before: func(w *world) { w.stands("gone", agentA); w.toggle(agentA); w.grant(w.plain("new", agentB)) },
		people: func(*world) []*actor { return nil },
	},
	{
		name: "a run that may crash, and a role re-created by another principal", runs: 1, crashes: 1,
		before: func(w *world) { w.stands("agent", agentA) },
		people: func(w *world) []*actor {
			return []*actor{
				w.once("IAM", func() { w.toggle(agentA); w.toggle(agentA) }),
				w.once("admin", func() { w.grant(w.plain("new", accountB)) }), w.foreignOnce(),
			}
		},
	},
}

// doomed are the runs whose crash now would leave something half done: before a
// write, after it, and before it is recorded.
func (w *world) doomed() []*run {
	var runs []*run
	for _, n := range w.runs {
		if n.at == "PutPolicy" || n.at == "DeletePolicy" || n.at == "Load" || n.at == "Record" {
			runs = append(runs, n)
		}
	}
	return runs
}

func (w *world) key(id string) grant.Key { return grant.Key{Gateway: w.gateways[0].ARN(), ID: id} }

func (w *world) plain(id, principal string) grant.Attributes {
	return grant.Attributes{"gateway": w.gateways[0].ARN(), "grant": id, "principal": principal}
}

// stands has the principal let in, and everything at rest.
func (w *world) stands(id, principal string) {
	w.grant(w.plain(id, principal))
	w.everyGateway()
	w.followDue(w.now.Add(time.Hour))
}

func (w *world) once(name string, do func()) *actor {
	return act(name, func(pause func(string)) {
		pause("act")
		do()
	})
}

func (w *world) foreignOnce() *actor {
	return act("foreign writer", func(pause func(string)) {
		pause("write")
		g := w.gateways[0]
		before := w.text(g)
		statement := parse(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":%q},"Action":"bedrock-agentcore:InvokeGateway","Resource":%q}]}`, partner, g.ARN())).Statements
		document := parse(before)
		if document != nil {
			statement = append(slices.Clone(document.Statements), statement...)
		}
		w.byHand(g, document.WithStatements(statement...), "adds its own")
	})
}

// play plays one schedule, or the beginning of one that leads to a world that was
// there before.
func (c tiny) play(r *replay, known map[string]bool, b *bug, trace bool) *world {
	prefix := len(r.choices)
	w := newWorld(r, settings{limits: plan.DefaultLimits(), every: true, bug: b, trace: trace})
	defer w.end()
	c.before(w)
	actors := c.people(w)
	for _, a := range actors {
		a.step()
	}
	for range c.runs {
		w.advance(w.launch(request{w.gateways[0], "a change"}))
	}
	crashes := c.crashes
	for len(actors)+len(w.runs) > 0 && len(w.broken) == 0 {
		if r.at >= prefix {
			here := w.fingerprint(actors) + strconv.Itoa(crashes)
			if known[here] {
				return w
			}
			known[here] = true
		}
		var doomed []*run
		if crashes > 0 {
			doomed = w.doomed()
		}
		choices := len(actors) + len(w.runs) + len(doomed)
		switch i := r.pick(choices); {
		case i < len(actors):
			if !actors[i].step() {
				actors = slices.Delete(actors, i, i+1)
			}
		case i < len(actors)+len(w.runs):
			w.advance(w.runs[i-len(actors)])
		default:
			crashes--
			w.crash(doomed[i-len(actors)-len(w.runs)])
		}
	}
	if len(w.broken) == 0 {
		w.settle(false)
	}
	return w
}

// all plays every schedule, or up to the first that breaks an invariant.
func (c tiny) all(b *bug) (w *world, schedules int) {
	r, known := &replay{}, map[string]bool{}
	for more := true; more; more = r.next() {
		schedules++
		if w = c.play(r, known, b, false); len(w.broken) > 0 {
			r.at = 0
			return c.play(r, map[string]bool{}, b, true), schedules
		}
	}
	return w, schedules
}

func TestEveryScheduleOfTinyWorlds(t *testing.T) {
	if testing.Short() {
		t.Skip("plays every schedule: run by make test, not with -short")
	}
	for _, c := range tinies {
		if c.long && os.Getenv("SIMULATIONS") == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, schedules := c.all(nil)
			if len(w.broken) > 0 {
				t.Fatalf("%v\n%s", w.broken, w.storyText())
			}
			t.Logf("%d schedules, each played up to where another had been", schedules)
		})
	}
}
