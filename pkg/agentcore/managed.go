package agentcore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// A listing takes at most half of the ten calls a second that AWS allows for
// reading gateways, so that reconciles get through beside it.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
const (
	listingRate  = 5
	listingBurst = 5
)

// pageSize is how many gateways a page of ListGateways holds, at most.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_ListGateways.html
const pageSize = 1000

// Managed lists every managed gateway, sorted by ARN, or fails. It takes about a
// second for five gateways beyond the first few, all places at once.
func (g *Gateways) Managed(ctx context.Context) ([]grant.Gateway, error) {
	var all []grant.Gateway
	err := g.Walk(ctx, func(grant.Gateway) bool { return true }, func(gateway grant.Gateway, managed bool) {
		if managed {
			all = append(all, gateway)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b grant.Gateway) int { return cmp.Compare(a.ARN(), b.ARN()) })
	return all, nil
}

// Walk calls found with each wanted gateway of every owner and region, and whether it
// is managed, one at a time. It reads the tags of wanted gateways only, because that
// takes the time. Where an owner or region cannot be listed, Walk goes on with the
// others and returns the error at the end; found may have got some of its gateways.
func (g *Gateways) Walk(ctx context.Context, wanted func(grant.Gateway) bool, found func(gateway grant.Gateway, managed bool)) error {
	owners, err := g.Owners(ctx)
	outcomes := g.WalkOwners(ctx, owners, wanted, found)
	failures := []error{err}
	for _, owner := range owners {
		failures = append(failures, outcomes[owner])
	}
	return errors.Join(failures...)
}

// Owners are the accounts whose gateways are looked for, "" for the caller's own. Where
// it fails, it returns those that the deployment names.
func (g *Gateways) Owners(ctx context.Context) ([]string, error) {
	if g.listed == nil {
		return g.owners, nil
	}
	listed, err := g.listed(ctx)
	owners := slices.Clone(g.owners)
	for _, owner := range listed {
		if !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	return owners, err
}

// walksAtOnce is how many owners are walked through together.
const walksAtOnce = 20

// WalkOwners is Walk for some owners. It returns what came of each.
func (g *Gateways) WalkOwners(ctx context.Context, owners []string, wanted func(grant.Gateway) bool, found func(gateway grant.Gateway, managed bool)) map[string]error {
	var mu sync.Mutex
	oneAtATime := func(gateway grant.Gateway, managed bool) {
		mu.Lock()
		defer mu.Unlock()
		found(gateway, managed)
	}
	failures := make([]error, len(owners)*len(g.regions))
	var walks sync.WaitGroup
	free := make(chan struct{}, walksAtOnce*len(g.regions))
	for i, owner := range owners {
		for j, region := range g.regions {
			free <- struct{}{}
			walks.Go(func() {
				failures[i*len(g.regions)+j] = g.walk(ctx, place{owner, region}, wanted, oneAtATime)
				<-free
			})
		}
	}
	walks.Wait()
	outcomes := make(map[string]error, len(owners))
	for i, owner := range owners {
		outcomes[owner] = errors.Join(failures[i*len(g.regions) : (i+1)*len(g.regions)]...)
	}
	return outcomes
}

func (g *Gateways) walk(ctx context.Context, at place, wanted func(grant.Gateway) bool, found func(grant.Gateway, bool)) error {
	op := "list the gateways of " + at.String()
	client, err := g.site(ctx, at)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	l := listing{client: client, gateways: g, pace: newPace(g.clock, listingRate, listingBurst), op: op}
	ids, err := l.ids(ctx)
	if err != nil {
		return err
	}
	return l.walk(ctx, ids, wanted, found)
}

// listing is one walk through the gateways of a region. One call at a time is
// enough: the pace, not the answers, is what it waits for.
type listing struct {
	client   Control
	gateways *Gateways
	pace     *pace
	op       string
}

func (l *listing) ids(ctx context.Context) ([]string, error) {
	items, err := l.items(ctx)
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = aws.ToString(item.GatewayId)
	}
	return ids, err
}

func (l *listing) items(ctx context.Context) ([]types.GatewaySummary, error) {
	var items []types.GatewaySummary
	pages := control.NewListGatewaysPaginator(l.client, &control.ListGatewaysInput{MaxResults: aws.Int32(pageSize)})
	for pages.HasMorePages() {
		page, err := paced(ctx, l, func(ctx context.Context) (*control.ListGatewaysOutput, error) {
			return pages.NextPage(ctx)
		})
		if err != nil {
			return nil, readFailure(l.op, err)
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

// walk reads the tags of those that are wanted. A gateway that ends meanwhile is
// left out.
func (l *listing) walk(ctx context.Context, ids []string, wanted func(grant.Gateway) bool, found func(grant.Gateway, bool)) error {
	var sibling grant.Gateway
	for _, id := range ids {
		gateway, exists, err := l.named(ctx, id, sibling)
		if err != nil {
			return err
		}
		if !exists {
			continue
		}
		sibling = gateway
		if !wanted(gateway) {
			continue
		}
		managed, err := paced(ctx, l, func(ctx context.Context) (managed bool, err error) {
			managed, exists, err = isManaged(ctx, l.client, gateway.ARN())
			return managed, err
		})
		if err != nil {
			return err
		}
		if exists {
			found(gateway, managed)
		}
	}
	return nil
}

// named is the gateway with the id. A listing has no ARNs: the first is
// asked for, and the others, which have its owner and region, follow from it.
func (l *listing) named(ctx context.Context, id string, sibling grant.Gateway) (gateway grant.Gateway, exists bool, err error) {
	if sibling != (grant.Gateway{}) {
		gateway, err = grant.ParseGateway("arn:" + sibling.Partition() + ":bedrock-agentcore:" + sibling.Region() + ":" + sibling.Account() + ":gateway/" + id)
		return gateway, true, l.unreadable(id, err)
	}
	answer, err := paced(ctx, l, func(ctx context.Context) (*control.GetGatewayOutput, error) {
		return l.client.GetGateway(ctx, &control.GetGatewayInput{GatewayIdentifier: aws.String(id)})
	})
	if isNotFound(err) {
		return grant.Gateway{}, false, nil
	}
	if err != nil {
		return grant.Gateway{}, false, readFailure("read gateway "+id, err)
	}
	gateway, err = grant.ParseGateway(aws.ToString(answer.GatewayArn))
	return gateway, true, l.unreadable(id, err)
}

func (l *listing) unreadable(id string, err error) error {
	if err == nil {
		return nil
	}
	return &grant.Error{Code: reconcile.CodeReadFailed, Op: l.op, Hint: "gateway " + id + " has a name in a form that is not known", Err: err}
}

// paced makes one call, in time and not for too long.
func paced[T any](ctx context.Context, l *listing, call func(context.Context) (T, error)) (T, error) {
	if err := l.pace.wait(ctx); err != nil {
		var none T
		return none, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.gateways.timeout)
	defer cancel()
	return call(ctx)
}
