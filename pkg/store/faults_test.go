package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

var now = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func alpha(t *testing.T) grant.Gateway {
	t.Helper()
	gateway, err := grant.ParseGateway("arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/alpha-0123456789")
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

// answering is a client whose every call is answered so. In a bubble of synctest
// no time passes between attempts.
func answering(answer func(operation string) *http.Response) *dynamodb.Client {
	return exchanging(func(operation string, _ map[string]any) *http.Response { return answer(operation) })
}

// exchanging is a client to a server that answers by what it is asked.
func exchanging(answer func(operation string, asked map[string]any) *http.Response) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://dynamodb.invalid"),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
		HTTPClient: &http.Client{Transport: transport(func(request *http.Request) (*http.Response, error) {
			asked := make(map[string]any)
			if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
				return nil, err
			}
			return answer(operation(request), asked), nil
		})},
	})
}

// calls makes every call of the three tables, each of which must fail.
func calls(t *testing.T, client *dynamodb.Client) map[string]error {
	t.Helper()
	grants, accounts, states := store.NewGrants(client, "g"), store.NewAccounts(client, "a"), store.NewStates(client, "s")
	gateway, ctx := alpha(t), t.Context()
	principal, err := grant.ParsePrincipal("444455556666")
	if err != nil {
		t.Fatal(err)
	}
	errs := make(map[string]error)
	_, errs["Grants.ForGateway"] = grants.ForGateway(ctx, gateway)
	_, errs["Grants.All"] = grants.All(ctx)
	_, errs["Grants.Naming"] = grants.Naming(ctx, []grant.Principal{principal})
	errs["Grants.Put"] = grants.Put(ctx, grant.Attributes{"gateway": "*", "grant": "one"}, false)
	errs["Grants.PutSentinel"] = grants.PutSentinel(ctx)
	_, errs["Grants.Delete"] = grants.Delete(ctx, grant.Key{Gateway: "*", ID: "one"})
	_, errs["Accounts.Lookup"] = accounts.Lookup(ctx, nil, nil)
	_, _, errs["Accounts.Account"] = accounts.Account(ctx, "444455556666")
	_, errs["Accounts.All"] = accounts.All(ctx)
	_, errs["Accounts.Write"] = accounts.Write(ctx, directory.Account{ID: "444455556666"})
	_, errs["Accounts.Remove"] = accounts.Remove(ctx, "444455556666", now)
	errs["Accounts.MarkSynced"] = accounts.MarkSynced(ctx, now)
	_, errs["Accounts.Synced"] = accounts.Synced(ctx)
	_, errs["States.Load"] = states.Load(ctx, gateway)
	_, errs["States.Update"] = states.Update(ctx, gateway, ledger.State{}, ledger.BeginWrite{Until: now})
	_, errs["States.Update with statuses"] = states.Update(ctx, gateway, ledger.State{}, oneStatus)
	errs["States.Journal"] = states.Journal(ctx, gateway, reconcile.Entry{At: now})
	errs["States.Asked"] = states.Asked(ctx, gateway, now)
	_, errs["States.Due"] = states.Due(ctx, now)
	errs["States.RecordProbe"] = states.RecordProbe(ctx, "probe", now)
	_, errs["States.Probes"] = states.Probes(ctx, "probe")
	_, errs["States.History"] = states.History(ctx, gateway, 1)
	return errs
}

func TestFailuresAreCoded(t *testing.T) {
	failed := []grant.Code{reconcile.CodeReadFailed, store.CodeWriteFailed}
	cases := map[string]struct {
		reason string
		status int
		want   []grant.Code
		hint   string
	}{
		"ThrottlingException":                    {"the loop comes back later", 400, []grant.Code{reconcile.CodeThrottled}, "slow down"},
		"ProvisionedThroughputExceededException": {"the loop comes back later", 400, []grant.Code{reconcile.CodeThrottled}, "capacity"},
		"RequestLimitExceeded":                   {"the loop comes back later", 400, []grant.Code{reconcile.CodeThrottled}, "capacity"},
		"AccessDeniedException":                  {"only an admin can help", 400, []grant.Code{reconcile.CodeAccessDenied}, "permission"},
		"ExpiredTokenException":                  {"only the user can help", 400, []grant.Code{reconcile.CodeAccessDenied}, "sign in"},
		"ResourceNotFoundException":              {"a wrong name is seen at once", 400, failed, "check the table's name"},
		"InternalServerError":                    {"AWS's own failure has no advice", 500, failed, ""},
		"ValidationException":                    {"nor has ours", 400, failed, ""},
	}
	for name, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			for call, err := range calls(t, answering(func(string) *http.Response { return refusal(c.status, name) })) {
				if code := grant.CodeOf(err); code != c.want[0] && code != c.want[len(c.want)-1] {
					t.Errorf("%s, %s: %s: want one of %v, got %v", name, call, c.reason, c.want, err)
				}
				var cause smithy.APIError
				if !errors.As(err, &cause) || cause.ErrorCode() != name {
					t.Errorf("%s, %s: the cause is lost in %v", name, call, err)
				}
				if !strings.Contains(fmt.Sprint(err), c.hint) {
					t.Errorf("%s, %s: want a hint with %q, got %v", name, call, c.hint, err)
				}
			}
		})
	}
}

func TestCancelledTransactionHasReason(t *testing.T) {
	cases := map[string]struct {
		reason  string
		reasons []any
		want    grant.Code
	}{
		"throttled":   {"one throttled item cancels all", []any{map[string]any{"Code": "None"}, map[string]any{"Code": "ThrottlingError"}}, reconcile.CodeThrottled},
		"capacity":    {"a conflict beside it says less", []any{map[string]any{"Code": "TransactionConflict"}, map[string]any{"Code": "ProvisionedThroughputExceeded"}}, reconcile.CodeThrottled},
		"validation":  {"a retry fails the same way", []any{map[string]any{"Code": "ValidationError"}}, store.CodeWriteFailed},
		"conflict":    {"another writer who never ends", []any{map[string]any{"Code": "TransactionConflict"}}, ledger.CodeVersionConflict},
		"not as read": {"another writer who never ends", []any{map[string]any{"Code": "None"}, map[string]any{"Code": "ConditionalCheckFailed"}}, ledger.CodeVersionConflict},
	}
	for name, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			accounts := store.NewAccounts(answering(func(operation string) *http.Response {
				if operation == "TransactWriteItems" {
					return refusal(400, "TransactionCanceledException", "CancellationReasons", c.reasons)
				}
				return answer(map[string]any{})
			}), "a")
			changed, err := accounts.Write(t.Context(), directory.Account{ID: "444455556666", ReadAt: now})
			if grant.CodeOf(err) != c.want || changed {
				t.Errorf("%s: %s: want code %s and no change, got %v, %v", name, c.reason, c.want, changed, err)
			}
		})
	}
}

// oneStatus is an update that takes a transaction.
var oneStatus = ledger.Settled{At: now, Statuses: map[grant.Key]grant.Status{{Gateway: "*", ID: "one"}: {Phase: grant.PhaseAdmitted}}}

// sentinel is a page of the grants table with nothing but its sentinel row.
var sentinel = map[string]any{"Items": []any{map[string]any{"gateway": map[string]any{"S": "*"}, "grant": map[string]any{"S": "#meta"}}}}

func TestThrottledCallIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queries := 0
		grants := store.NewGrants(answering(func(string) *http.Response {
			queries++
			if queries <= 2 {
				return refusal(400, "ThrottlingException")
			}
			return answer(sentinel)
		}), "g")
		rows, err := grants.ForGateway(t.Context(), alpha(t))
		if err != nil || len(rows) != 0 || queries != 4 {
			t.Errorf("want no rows after 4 queries, got %v, %v after %d", rows, err, queries)
		}
	})
}

func TestFailedSecondPageReturnsNoRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages := 0
		client := answering(func(string) *http.Response {
			pages++
			if pages%2 == 0 {
				return refusal(400, "AccessDeniedException")
			}
			first := maps.Clone(sentinel)
			first["LastEvaluatedKey"] = map[string]any{"gateway": map[string]any{"S": "*"}, "grant": map[string]any{"S": "#meta"}}
			return answer(first)
		})
		rows, err := store.NewGrants(client, "g").ForGateway(t.Context(), alpha(t))
		if grant.CodeOf(err) != reconcile.CodeAccessDenied || rows != nil {
			t.Errorf("want AccessDenied and no rows, got %v, %v", rows, err)
		}
		rows, err = store.NewGrants(client, "g").All(t.Context())
		if grant.CodeOf(err) != reconcile.CodeAccessDenied || rows != nil {
			t.Errorf("want AccessDenied and no rows, got %v, %v", rows, err)
		}
	})
}

func TestUnprocessedBatchIsThrottled(t *testing.T) {
	key := map[string]any{"pk": map[string]any{"S": "ACCOUNT#444455556666"}, "sk": map[string]any{"S": "ACCOUNT"}}
	written := make(map[string]int)
	client := answering(func(operation string) *http.Response {
		written[operation]++
		switch operation {
		case "GetItem":
			return answer(map[string]any{"Item": map[string]any{"syncedAt": map[string]any{"S": "2026-11-20T09:00:00Z"}}})
		case "BatchGetItem":
			return answer(map[string]any{"UnprocessedKeys": map[string]any{"a": map[string]any{"Keys": []any{key}, "ConsistentRead": true}}})
		default:
			return answer(map[string]any{})
		}
	})
	synctest.Test(t, func(t *testing.T) {
		snapshot, err := store.NewAccounts(client, "a").Lookup(t.Context(), nil, []string{"444455556666"})
		if grant.CodeOf(err) != reconcile.CodeThrottled || snapshot.Availability() != directory.Unreadable {
			t.Errorf("want a throttle and an unreadable directory, got %d, %v", snapshot.Availability(), err)
		}
	})
}

func TestBusyItemIsThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		client := answering(func(operation string) *http.Response {
			if operation != "TransactWriteItems" {
				return answer(map[string]any{})
			}
			tries++
			return refusal(400, "TransactionConflictException")
		})
		_, err := store.NewStates(client, "s").Update(t.Context(), alpha(t), ledger.State{}, oneStatus)
		if grant.CodeOf(err) != reconcile.CodeThrottled || tries < 2 {
			t.Errorf("want a throttle after more than one try, got %v after %d", err, tries)
		}
	})
}

func TestUpdateRetriesAfterTransactionConflict(t *testing.T) {
	for name, update := range map[string]func(*testing.T, *store.States) error{
		"PutItem": func(t *testing.T, s *store.States) error {
			_, err := s.Update(t.Context(), alpha(t), ledger.State{}, ledger.BeginWrite{Until: now})
			return err
		},
		"UpdateItem": func(t *testing.T, s *store.States) error { return s.Asked(t.Context(), alpha(t), now) },
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			client := answering(func(operation string) *http.Response {
				if operation != name {
					return answer(map[string]any{})
				}
				if tries++; tries == 1 {
					return refusal(400, "TransactionConflictException")
				}
				return answer(map[string]any{})
			})
			if err := update(t, store.NewStates(client, "s")); err != nil || tries != 2 {
				t.Errorf("%s: want it done at the second try, got %v after %d", name, err, tries)
			}
		})
	}
}

func TestUpdateReportsVersionConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := make(map[string]int)
		client := answering(func(operation string) *http.Response {
			calls[operation]++
			if operation != "PutItem" {
				return answer(map[string]any{})
			}
			return refusal(400, "ConditionalCheckFailedException")
		})
		_, err := store.NewStates(client, "s").Update(t.Context(), alpha(t), ledger.State{}, ledger.BeginWrite{Until: now})
		if grant.CodeOf(err) != ledger.CodeVersionConflict || calls["PutItem"] < 2 || calls["PutItem"] != calls["Query"] {
			t.Errorf("want %s, and what is recorded loaded before each further try, got %v after %v", ledger.CodeVersionConflict, err, calls)
		}
	})
}

func TestPauseEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		client := answering(func(operation string) *http.Response {
			if operation != "TransactWriteItems" {
				return answer(map[string]any{})
			}
			return refusal(400, "TransactionConflictException")
		})
		_, err := store.NewStates(client, "s").Update(ctx, alpha(t), ledger.State{}, oneStatus)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("want the deadline, got %v", err)
		}
	})
}
