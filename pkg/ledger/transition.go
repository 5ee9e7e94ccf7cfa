package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// CodeVersionConflict is the failure of a transition that was decided on another
// version of the ledger than is recorded: read again, and decide again.
const CodeVersionConflict grant.Code = "VersionConflict"

// Transition is one step of what is recorded. Apply changes nothing that it is given,
// and leaves Version to storage. Where it depends on the version that it was decided
// on it fails with CodeVersionConflict on any other; all others may be applied again
// to newer state.
type Transition interface {
	Apply(recorded State) (State, error)
}

func versionConflict(op string) *grant.Error {
	return &grant.Error{Code: CodeVersionConflict, Op: op,
		Hint: "another run recorded something about the gateway since it was read: read it again, and decide again"}
}

// BeginWrite is recorded before a write, so that a crash in the middle of it is
// understood afterwards. It adds to what other runs recorded, and takes nothing away.
type BeginWrite struct {
	Until time.Time          // when to look again, whatever happens; becomes InFlightUntil
	Hash  string             // becomes the PendingHash
	Held  map[string]Refusal // principals whose deletion the write may leave no other trace of
	// Revisions are added to the PendingRevisions: those that no status records.
	Revisions map[grant.Key]string
	// Superseded are taken out of them: rows that were edited or deleted since.
	Superseded map[grant.Key]string
	// Read are what the write was decided on, of the rows of Revisions.
	Read map[grant.Key]Read
	WriteAhead
}

// Read is a revision of a row, and the one that was recorded before it was read.
type Read struct{ Revision, Recorded string }

// Apply returns the state with the write in flight. It fails with CodeVersionConflict
// where another run recorded another revision of a row since it was read: which of the
// two is older is not known. Otherwise it always changes the state, if only by a
// nanosecond: a write that shared the mark of another run would lose it when that run
// takes it back.
func (b BeginWrite) Apply(recorded State) (State, error) {
	for row, read := range b.Read {
		if now := recorded.Grants[row].Revision; now != read.Recorded && now != read.Revision {
			return State{}, versionConflict("record that a write begins")
		}
	}
	l := recorded.Gateway
	l.PendingHash, l.PendingRevisions = b.Hash, pendingRevisions(l.PendingRevisions, b.Superseded, b.Revisions)
	l.InFlightUntil, l.Due = later(b.Until, l.InFlightUntil.Add(1)), earlier(l.Due, b.Until)
	l.Selected, l.InFlight = union(l.Selected, b.Selected), union(l.InFlight, b.InFlight)
	l.HadDirectory = l.HadDirectory || b.HadDirectory
	l.Refused = with(l.Refused, b.Held)
	recorded.Gateway = l
	return recorded, nil
}

// Settled ends a run whose last pass found nothing to write: what stands was read
// back, or was right before.
type Settled struct {
	On         int // the version that the pass decided on
	At         time.Time
	Wrote      bool // earlier passes of the run wrote
	Drifted    bool // and put right what others had changed
	Statuses   map[grant.Key]grant.Status
	Superseded map[grant.Key]string // as in BeginWrite

	Authorizer string
	Hash       string // becomes the AppliedHash
	Size       Size
	Due        time.Time
	Refused    map[string]Refusal
	Pinned     []string
	Open       string
	WriteAhead
	Learned

	Untouched bool         // nothing may be written to the gateway: what was applied stays recorded
	Failure   *grant.Error // why the policy may not be all that the grants say; nil if it is
	Again     bool         // it counts as a failed run, and is tried again
}

// Apply returns the state of a gateway whose policy is verified. It fails with
// CodeVersionConflict on another version than On.
func (s Settled) Apply(recorded State) (State, error) {
	was := recorded.Gateway
	if was.Version != s.On {
		return State{}, versionConflict("record the outcome")
	}
	next := Ledger{
		Version: was.Version, Authorizer: s.Authorizer, AppliedHash: s.Hash, Size: s.Size, Due: s.Due,
		Refused: s.Refused, Pinned: s.Pinned, Open: s.Open, WriteAhead: s.WriteAhead,
		ExpandedSizeObserved: was.ExpandedSizeObserved, ListsRefused: was.ListsRefused,
		Overwritten: was.Overwritten, OverwrittenAt: was.OverwrittenAt,
	}
	next.learn(s.Learned)
	if s.Drifted {
		next.overwrite(s.At)
	}
	if s.Untouched {
		next.AppliedHash, next.PendingHash, next.PendingRevisions = was.AppliedHash, was.PendingHash, pendingRevisions(was.PendingRevisions, s.Superseded, nil)
	}
	if s.Failure != nil {
		next.LastError, next.LastMessage = s.Failure.Code, s.Failure.Hint
	}
	if s.Again {
		next.Failures = was.Failures + 1
		next.Due = earlier(next.Due, s.At.Add(Backoff(next.Failures)))
	}
	if was.InFlightUntil.After(s.At) { // a write, perhaps another run's, may be in flight
		next.Due, next.InFlightUntil = earlier(next.Due, was.InFlightUntil), was.InFlightUntil
		next.PendingHash, next.PendingRevisions = was.PendingHash, pendingRevisions(was.PendingRevisions, s.Superseded, nil)
	} else if s.Wrote { // so long ago that the mark of it has ended
		next.Due = earlier(next.Due, s.At.Add(LookAgainAfter))
	}
	return State{Gateway: next}.stating(s.Statuses, recorded.Grants), nil
}

// Failed ends a run that could not end well, and says when the gateway is tried
// again. What the run marked before a write, and what others recorded, stays.
type Failed struct {
	On      int // the version that this run recorded last, or loaded if it recorded none
	At      time.Time
	Code    grant.Code
	Message string
	Soon    bool // the next run goes on with what this one began
	Rejected

	// What the run may record only where no other run recorded anything: where the rows
	// stand, nil for not known, and that it wrote nothing after it began to.
	Statuses      map[grant.Key]grant.Status
	Superseded    map[grant.Key]string // with Statuses: as in BeginWrite
	WroteNothing  bool
	InFlightUntil time.Time // with WroteNothing: as it was before
}

// Apply returns the state with the failure, one more failed run, and the time when the
// gateway is due. It never fails.
func (f Failed) Apply(recorded State) (State, error) {
	alone := recorded.Gateway.Version == f.On
	next, err := f.Rejected.Apply(recorded)
	if err != nil {
		return State{}, err
	}
	l := &next.Gateway
	l.LastError, l.LastMessage = f.Code, f.Message
	l.Failures++
	l.Due = f.At.Add(Backoff(l.Failures))
	if f.Soon {
		l.Due = f.At.Add(Backoff(1))
	}
	if alone && f.WroteNothing {
		l.InFlightUntil = f.InFlightUntil
	}
	if l.InFlightUntil.After(f.At) {
		l.Due = earlier(l.Due, l.InFlightUntil)
	}
	if alone && f.Statuses != nil {
		statuses := maps.Clone(recorded.Grants)
		if statuses == nil {
			statuses = make(map[grant.Key]grant.Status)
		}
		maps.Copy(statuses, f.Statuses)
		l.PendingRevisions = pendingRevisions(l.PendingRevisions, f.Superseded, nil)
		next = next.stating(statuses, recorded.Grants)
	}
	return next, nil
}

// Rejected is what a run has learned of AWS by the documents that it rejected.
type Rejected struct {
	Principals map[string]Refusal
	Learned
}

// Learned is what a run has learned of how AWS judges documents.
type Learned struct {
	ExpandedSize bool // it refused for its size what fits as submitted
	ListsRefused bool // it rejected a list of principals and accepted each of them alone
}

func (l *Ledger) learn(learned Learned) {
	l.ExpandedSizeObserved = l.ExpandedSizeObserved || learned.ExpandedSize
	l.ListsRefused = l.ListsRefused || learned.ListsRefused
}

// Apply returns the state with the rejected principals, and never fails. A principal
// that is held stays so: another run knows that it was deleted, and this run only that
// AWS rejects it.
func (r Rejected) Apply(recorded State) (State, error) {
	found := maps.Clone(r.Principals)
	maps.DeleteFunc(found, func(principal string, _ Refusal) bool {
		known := recorded.Gateway.Refused[principal]
		return !known.Since.IsZero() && known.Held()
	})
	recorded.Gateway.Refused = with(recorded.Gateway.Refused, found)
	recorded.Gateway.learn(r.Learned)
	return recorded, nil
}

// stating records where the rows stand. A status that says the same as before stays
// as it is, so that nothing is written for it.
func (s State) stating(statuses, recorded map[grant.Key]grant.Status) State {
	s.Grants = make(map[grant.Key]grant.Status, len(statuses))
	var accounts []string
	for key, status := range statuses {
		if known, ok := recorded[key]; ok && status.Same(known) {
			status = known
		}
		s.Grants[key] = status
		for _, principal := range status.Admitted {
			arn, _ := policy.ParseIAMARN(principal)
			accounts = append(accounts, arn.Account)
		}
	}
	slices.Sort(accounts)
	s.Gateway.Accounts = slices.Compact(accounts)
	return s
}

// with is a copy of the refusals with more of them, which replace those there.
func with(refused, more map[string]Refusal) map[string]Refusal {
	if len(more) == 0 {
		return refused
	}
	all := make(map[string]Refusal, len(refused)+len(more))
	maps.Copy(all, refused)
	maps.Copy(all, more)
	return all
}

// pendingRevisions is a copy of the revisions without the superseded ones, as far as
// they are still the same, and with more; nil for none.
func pendingRevisions(revisions, superseded, more map[grant.Key]string) map[grant.Key]string {
	left := make(map[grant.Key]string, len(revisions)+len(more))
	for row, revision := range revisions {
		if superseded[row] != revision {
			left[row] = revision
		}
	}
	maps.Copy(left, more)
	if len(left) == 0 {
		return nil
	}
	return left
}

// union is a copy of the sets, each with the members that more has for it.
func union(sets, more map[string][]string) map[string][]string {
	if len(more) == 0 {
		return sets
	}
	all := make(map[string][]string, len(sets)+len(more))
	maps.Copy(all, sets)
	for of, members := range more {
		all[of] = slices.Compact(slices.Sorted(slices.Values(slices.Concat(all[of], members))))
	}
	return all
}
