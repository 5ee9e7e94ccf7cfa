package dirsync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// deepest is how far up a root can be: units nest five deep.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const deepest = 5

// path is the units that a member is in, outermost first. Where Organizations
// does not say, its parents are asked for one by one.
func (s *Syncer) path(ctx context.Context, member Member) ([]string, error) {
	for _, path := range member.Paths {
		if units, ok := parsePath(path, member.ID); ok {
			return units, nil
		}
	}
	var units []string
	for child := member.ID; ; {
		parent, err := s.parent(ctx, child)
		if err != nil {
			return nil, fmt.Errorf("find the parent of %s: %w", child, err)
		}
		if strings.HasPrefix(parent, "r-") {
			slices.Reverse(units)
			return units, nil
		}
		if !strings.HasPrefix(parent, "ou-") || len(units) == deepest {
			return nil, fmt.Errorf("find the parent of %s: %q above %v is neither a root nor a possible unit", child, parent, units)
		}
		units = append(units, parent)
		child = parent
	}
}

// parent remembers the parents of units. An account's may change at any time.
func (s *Syncer) parent(ctx context.Context, child string) (string, error) {
	isUnit := strings.HasPrefix(child, "ou-")
	if isUnit {
		s.mu.Lock()
		parent, known := s.parents[child]
		s.mu.Unlock()
		if known {
			return parent, nil
		}
	}
	parent, err := s.organizations.Parent(ctx, child)
	if err != nil || !isUnit {
		return parent, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents[child] = parent
	return parent, nil
}

// learn takes the parents of units from recorded paths.
func (s *Syncer) learn(accounts []directory.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, account := range accounts {
		parent := anyRoot
		for _, unit := range account.Path {
			s.parents[unit] = parent
			parent = unit
		}
	}
}

// anyRoot stands for the root, whose id is not needed.
const anyRoot = "r-"

// parsePath takes the units out of a path such as
// o-exampleorgid/r-ab12/ou-ab12-11111111/444455556666/.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
func parsePath(path, account string) ([]string, bool) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "o-") || !strings.HasPrefix(parts[1], "r-") || parts[len(parts)-1] != account {
		return nil, false
	}
	units := parts[2 : len(parts)-1]
	for _, unit := range units {
		if !strings.HasPrefix(unit, "ou-") {
			return nil, false
		}
	}
	return append([]string(nil), units...), true
}
