package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Guard holds mass departures: they are more likely a mistake, or a trick, than
// what should happen to production at once.
type Guard struct {
	Window   time.Duration // over which departures add up
	Accounts int           // more than these may depart only after approval,
	Percent  int           // if they are also more than this part of all
}

// DefaultGuard holds when within a day more than 10 accounts and more than 10 %
// of those known would depart.
func DefaultGuard() Guard { return Guard{Window: 24 * time.Hour, Accounts: 10, Percent: 10} }

// Judge decides about one departure more, which is among those given: when each
// account that departs, or did, first lost something. Known is how many accounts
// there are, those that depart included.
func (g Guard) Judge(departures []time.Time, known int, now time.Time) Verdict {
	recent := 0
	for _, since := range departures {
		if now.Sub(since) < g.Window {
			recent++
		}
	}
	if recent > g.Accounts && recent*100 > g.Percent*known {
		return Hold
	}
	return Release
}

// Departure names what an account is about to lose, by its content: any change
// of it, or of what the account would be left with, is another departure.
func (a Account) Departure() string {
	kept := make([]View, 0, len(a.Kept))
	for _, k := range a.Kept {
		kept = append(kept, k.View)
	}
	content, err := json.Marshal(struct {
		ID      string
		Missing bool
		View    View
		Kept    []View
	}{a.ID, !a.MissingSince.IsZero(), normal(a.View()), normals(kept)})
	if err != nil {
		panic("hash account " + a.ID + ": " + err.Error()) // plain values encode
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16])
}

// Decision is what an admin approves where the departure is held.
func (a Account) Decision() grant.Decision {
	return grant.DepartureOf(a.ID, a.Departure(), a.HeldSince)
}

func normals(views []View) []View {
	all := make([]View, len(views))
	for i, v := range views {
		all[i] = normal(v)
	}
	return all
}

// normal is the view with one way of saying that there is nothing.
func normal(v View) View {
	if len(v.Path) == 0 {
		v.Path = nil
	}
	if len(v.Tags) == 0 {
		v.Tags = nil
	}
	v.Path = slices.Clone(v.Path)
	return v
}
