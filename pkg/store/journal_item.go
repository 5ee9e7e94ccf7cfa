package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// JournalFor is how long an entry of the journal is kept.
const JournalFor = 90 * 24 * time.Hour

type journalItem struct {
	Gateway  string    `dynamodbav:"gateway"`
	Item     string    `dynamodbav:"item"`
	At       time.Time `dynamodbav:"at,omitempty"`
	Cause    string    `dynamodbav:"cause,omitempty"`
	By       string    `dynamodbav:"by,omitempty"`
	PlanHash string    `dynamodbav:"planHash,omitempty"`
	Observed string    `dynamodbav:"observed,omitempty"`
	Written  string    `dynamodbav:"written,omitempty"`
	Outcome  string    `dynamodbav:"outcome,omitempty"`
	Expiry   int64     `dynamodbav:"ttl"`
}

// JournalItem is an entry of a gateway's journal. Entries of the same moment
// differ in their number, from 0.
func JournalItem(gateway grant.Gateway, entry reconcile.Entry, number int) Item {
	sort := JournalPrefix + Moment(entry.At)
	if number > 0 {
		sort += "#" + strconv.Itoa(number)
	}
	return marshal(journalItem{
		Gateway: gateway.ARN(), Item: sort,
		At: entry.At, Cause: entry.Cause, By: entry.By, PlanHash: entry.PlanHash,
		Observed: entry.Observed, Written: entry.Written, Outcome: entry.Outcome,
		Expiry: entry.At.Add(JournalFor).Unix(),
	})
}

// ParseEntry reads an entry of a journal.
func ParseEntry(item Item) (reconcile.Entry, error) {
	var read journalItem
	if err := unmarshal(item, &read); err != nil {
		return reconcile.Entry{}, fmt.Errorf("item %q of the state table: %w", StatesLayout.Of(item).Sort, err)
	}
	return reconcile.Entry{
		At: read.At, Cause: read.Cause, By: read.By, PlanHash: read.PlanHash,
		Observed: read.Observed, Written: read.Written, Outcome: read.Outcome,
	}, nil
}

// ParseJournals reads entries of many journals, by the gateway's ARN, each the oldest
// entry first.
func ParseJournals(items []Item) (map[string][]reconcile.Entry, error) {
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(StatesLayout.Of(a).Sort, StatesLayout.Of(b).Sort) })
	journals := make(map[string][]reconcile.Entry)
	for _, item := range items {
		entry, err := ParseEntry(item)
		if err != nil {
			return nil, err
		}
		arn := StatesLayout.Of(item).Partition
		journals[arn] = append(journals[arn], entry)
	}
	return journals, nil
}
