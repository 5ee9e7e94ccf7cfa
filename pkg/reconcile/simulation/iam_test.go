package simulation

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// Accounts of the simulation: the gateways' own, four that may be members of the
// organization, one that never is, and one that is trusted although it is none.
const (
	owner    = "111122223333"
	accountA = "444455556666"
	accountB = "777788889999"
	accountC = "888899990000"
	joiner   = "222233334444"
	stranger = "999900001111"
	partner  = "555566667777"
)

var allAccounts = []string{accountA, accountB, accountC, joiner, stranger, partner}

// partition is where the world lies. It is one for the whole process, because the
// names of all principals begin with it.
var partition = cmp.Or(os.Getenv("SIMULATION_PARTITION"), "aws")

// inIAM is the ARN of something in an account.
func inIAM(account, resource string) string {
	return "arn:" + partition + ":iam::" + account + ":" + resource
}

func rootOf(account string) string { return inIAM(account, "root") }

// Roles that come and go, and a user who stays.
var (
	agentA  = inIAM(accountA, "role/AgentOne")
	agentA2 = inIAM(accountA, "role/AgentTwo")
	agentB  = inIAM(accountB, "role/AgentOne")
	agentX  = inIAM(stranger, "role/AgentOne")
	otherA  = inIAM(accountA, "role/Other")
	userA   = inIAM(accountA, "user/Ann")
	roles   = []string{agentA, agentA2, agentB, agentX}
)

// crowd are accounts that only others let in.
var crowd = func() []string {
	var all []string
	for n := range 1200 {
		all = append(all, fmt.Sprintf("7%011d", n))
	}
	return all
}()

// iam is all of IAM: the principals that exist, and those that did.
type iam struct {
	ids     map[string]string // by ARN
	names   map[string]string // ARNs by unique id, of the deleted, too
	missing map[string]bool   // ARNs that had no principal at some time
	deleted map[string]int    // unique ids of the deleted: after so many effects
	changes int               // how often anything changed
}

func newIAM(crowded bool) *iam {
	i := &iam{ids: map[string]string{}, names: map[string]string{}, missing: map[string]bool{}, deleted: map[string]int{}}
	for _, account := range append([]string{owner}, allAccounts...) {
		i.ids[rootOf(account)] = account
	}
	if crowded {
		for _, account := range crowd {
			i.ids[rootOf(account)] = account
		}
	}
	for _, arn := range append([]string{otherA, userA}, roles...) {
		i.create(arn)
	}
	return i
}

// UniqueID returns the unique id of the principal with the ARN, "" for none. It never fails.
func (i *iam) UniqueID(arn string) (string, error) { return i.ids[arn], nil }

func (i *iam) create(arn string) {
	prefix := "AROA"
	if strings.Contains(arn, ":user/") {
		prefix = "AIDA"
	}
	id := fmt.Sprintf("%s%016d", prefix, len(i.names))
	i.ids[arn], i.names[id] = id, arn
}

func (i *iam) remove(arn string, effects int) {
	i.deleted[i.ids[arn]] = effects
	delete(i.ids, arn)
	i.missing[arn] = true
}

// actIAM deletes roles and creates other roles of the same name. Now and then it
// closes an account for a while.
func (w *world) actIAM(times int) *actor {
	return act("IAM", func(pause func(string)) {
		for range times {
			pause("change")
			if w.oneIn(12) {
				w.toggle(rootOf(accountC))
			} else {
				w.toggle(roles[w.pick(len(roles))])
			}
		}
	})
}

func (w *world) toggle(arn string) {
	w.effects++
	w.iam.changes++
	if w.iam.ids[arn] != "" {
		w.log("IAM: %s is deleted", arn)
		w.iam.remove(arn, w.effects)
		for _, g := range w.gateways {
			if _, perhaps := g.announced[arn]; perhaps {
				g.left[arn] = true
			}
		}
		return
	}
	if account := accountOf(arn); arn == rootOf(account) {
		w.iam.ids[arn] = account
	} else {
		w.iam.create(arn)
	}
	w.log("IAM: %s is created", arn)
}
