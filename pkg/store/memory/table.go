// Package memory is the in-memory twin of the DynamoDB tables, with the records
// of their streams: for the demo in one process, for simulations and for tests.
// Package storetest holds both to one contract. Where a context has ended, a read fails
// with reconcile.CodeReadFailed, and a write with store.CodeWriteFailed.
package memory

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Config says where a table pretends to be. The zero Config is the default
// table in us-east-1 of account 111122223333, on the machine's clock.
type Config struct {
	Name    string
	Region  string
	Account string
	Now     func() time.Time // dates the records of changes
}

func (c Config) or(name string) Config {
	if c.Name == "" {
		c.Name = name
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Account == "" {
		c.Account = "111122223333"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// table holds items by key, and delivers their changes to listeners.
type table struct {
	Config

	layout store.Layout

	mu         sync.Mutex
	items      map[store.Key]store.Item // an item in here is never changed, only replaced
	sequence   uint64                   // of the last record
	pending    []events.DynamoDBEvent   // one for each write, in order
	delivering bool                     // a writer is calling the listeners
	listeners  []func(events.DynamoDBEvent)
}

func newTable(config Config, layout store.Layout) *table {
	return &table{Config: config, layout: layout, items: make(map[store.Key]store.Item)}
}

// view is the table during one read or write, which nothing else interrupts.
type view struct {
	*table

	records []events.DynamoDBEventRecord
}

func (t *table) read(ctx context.Context, what string, look func(*view) error) error {
	if err := ctx.Err(); err != nil {
		return &grant.Error{Code: reconcile.CodeReadFailed, Op: what + " in table " + t.Name, Err: err}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return look(&view{table: t})
}

// write makes one change, which must check before it alters anything, and then
// delivers it to the listeners.
func (t *table) write(ctx context.Context, what string, change func(*view) error) error {
	if err := ctx.Err(); err != nil {
		return &grant.Error{Code: store.CodeWriteFailed, Op: what + " in table " + t.Name, Err: err}
	}
	t.mu.Lock()
	now := view{table: t}
	err := change(&now)
	if len(now.records) > 0 && len(t.listeners) > 0 {
		t.pending = append(t.pending, events.DynamoDBEvent{Records: now.records})
	}
	t.mu.Unlock()
	t.deliver()
	return err
}

func (v *view) get(key store.Key) (store.Item, bool) {
	item, found := v.items[key]
	return item, found
}

// put replaces an item. It fails on a key that DynamoDB would refuse.
func (v *view) put(item store.Item) error {
	key := v.layout.Of(item)
	if key.Partition == "" || key.Sort == "" {
		return &grant.Error{
			Code: store.CodeWriteFailed,
			Op:   "put an item in table " + v.Name,
			Hint: fmt.Sprintf("%s and %s must be text, and not empty", v.layout.Partition, v.layout.Sort),
		}
	}
	was := v.items[key]
	if reflect.DeepEqual(was, item) {
		return nil
	}
	v.items[key] = maps.Clone(item)
	v.record(key, was, item)
	return nil
}

func (v *view) delete(key store.Key) {
	if was, found := v.items[key]; found {
		delete(v.items, key)
		v.record(key, was, nil)
	}
}

// partition lists the items of one partition in the order of their sort keys.
func (v *view) partition(name string) []store.Item {
	return v.where(func(key store.Key) bool { return key.Partition == name })
}

func (v *view) where(wanted func(store.Key) bool) []store.Item {
	var keys []store.Key
	for key := range v.items {
		if wanted(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b store.Key) int {
		if a.Partition != b.Partition {
			return strings.Compare(a.Partition, b.Partition)
		}
		return strings.Compare(a.Sort, b.Sort)
	})
	items := make([]store.Item, len(keys))
	for i, key := range keys {
		items[i] = v.items[key]
	}
	return items
}
