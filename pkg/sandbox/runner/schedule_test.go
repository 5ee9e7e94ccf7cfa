package runner

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
)

// refusal is an answer of the Lambda API that is an error.
func refusal(status int, code string) error {
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "said so"},
	}}
}

// calling has the schedule's calls answered, and keeps when and with what they came.
func (w *world) calling(answer func(call int) error) (calls func() []string) {
	var mu sync.Mutex
	var made []string
	began := time.Now()
	w.invoke = func(ctx context.Context, as credentials, function string, payload []byte) error {
		if _, err := as(ctx); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		made = append(made, time.Since(began).String()+" "+function+" "+string(payload))
		return answer(len(made))
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(made)
	}
}

func (w *world) schedule(t *testing.T, d cloud.DeployedSchedule) {
	t.Helper()
	w.source.change(func(deployed *cloud.Deployed) { deployed.Schedules = []cloud.DeployedSchedule{d} })
	if err := w.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func aSchedule() cloud.DeployedSchedule {
	return cloud.DeployedSchedule{
		ARN: schedARN, Expression: "rate(1 minute)", Timezone: "UTC", Enabled: true, Target: oneARN,
		Role: "arn:aws:iam::111122223333:role/schedules", Input: `{"at":"<aws.scheduler.scheduled-time>"}`, DeadLetter: deadARN,
	}
}

func TestAScheduleCallsItsFunctionAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		calls := w.calling(func(int) error { return nil })
		w.schedule(t, aSchedule())
		time.Sleep(150 * time.Second)
		want := []string{
			"0s " + oneARN + ` {"at":"2000-01-01T00:00:00Z"}`,
			"1m0s " + oneARN + ` {"at":"2000-01-01T00:01:00Z"}`,
			"2m0s " + oneARN + ` {"at":"2000-01-01T00:02:00Z"}`,
		}
		if diff := cmp.Diff(want, calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		// EventBridge Scheduler says for which group it acts.
		group := map[string][]string{"aws:SourceAccount": {account}, "aws:SourceArn": {"arn:aws:scheduler:us-east-1:111122223333:schedule-group/group"}}
		if diff := cmp.Diff([]map[string][]string{group}, w.sessions.said()); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
		disabled := aSchedule()
		disabled.Enabled = false
		w.schedule(t, disabled)
		time.Sleep(time.Hour)
		if len(calls()) != 3 {
			t.Errorf("a disabled schedule called %d times more", len(calls())-3)
		}
	})
}

func TestAScheduledCallIsTriedAgainOrKept(t *testing.T) {
	number := func(n int) *int { return &n }
	cases := map[string]struct {
		reason   string
		change   func(*cloud.DeployedSchedule)
		answer   func(call int) error
		calls    int
		conveyed map[string]string // attributes of the message, without what is always there
	}{
		"it passes": {
			"a server's fault is tried again", nil,
			func(call int) error {
				if call == 1 {
					return refusal(500, "ServiceException")
				}
				return nil
			}, 2, nil,
		},
		"not allowed": {
			"missing permissions do not pass", nil,
			func(int) error { return refusal(403, "AccessDeniedException") }, 1,
			map[string]string{"ERROR_CODE": "AccessDeniedException", "ERROR_MESSAGE": "said so", "RETRY_ATTEMPTS": "0"},
		},
		"retries": {
			"as many as the schedule says", func(d *cloud.DeployedSchedule) { d.Retries = number(2) },
			func(int) error { return refusal(500, "ServiceException") }, 3,
			map[string]string{"ERROR_CODE": "ServiceException", "ERROR_MESSAGE": "said so", "RETRY_ATTEMPTS": "2", "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"},
		},
		"age": {
			"no older than the schedule says", func(d *cloud.DeployedSchedule) { d.MaxAge = number(5) },
			func(int) error { return refusal(429, "TooManyRequestsException") }, 3,
			map[string]string{"ERROR_CODE": "TooManyRequestsException", "ERROR_MESSAGE": "said so", "RETRY_ATTEMPTS": "2", "EXHAUSTED_RETRY_CONDITION": "MaximumEventAgeInSeconds"},
		},
		"unreachable": {
			"a broken connection passes", func(d *cloud.DeployedSchedule) { d.Retries = number(0) },
			func(int) error { return errors.New("no connection") }, 1,
			map[string]string{"ERROR_CODE": "SdkClientException", "ERROR_MESSAGE": "no connection", "RETRY_ATTEMPTS": "0", "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				calls := w.calling(c.answer)
				d := aSchedule()
				d.Expression = "rate(1 day)"
				if c.change != nil {
					c.change(&d)
				}
				w.schedule(t, d)
				time.Sleep(time.Hour)
				if len(calls()) != c.calls {
					t.Errorf("%s: %d calls, want %d", c.reason, len(calls()), c.calls)
				}
				var got map[string]string
				for _, m := range w.sentMessages() {
					got = m.attributes
					if m.queue != deadARN || m.body != `{"at":"2000-01-01T00:00:00Z"}` || len(got["EXECUTION_ID"]) != 16 {
						t.Errorf("%s: message %+v", c.reason, m)
					}
					delete(got, "EXECUTION_ID")
				}
				if c.conveyed != nil {
					c.conveyed["IS_PAYLOAD_TRUNCATED"], c.conveyed["SCHEDULED_TIME"] = "false", "2000-01-01T00:00:00Z"
					c.conveyed["SCHEDULE_ARN"], c.conveyed["TARGET_ARN"] = schedARN, oneARN
				}
				if diff := cmp.Diff(c.conveyed, got); diff != "" {
					t.Errorf("%s: attributes (-want +got):\n%s", c.reason, diff)
				}
			})
		})
	}
}

func TestUnrunnableScheduleIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		calls := w.calling(func(int) error { return nil })
		cron, other, bucket := aSchedule(), aSchedule(), aSchedule()
		cron.ARN, cron.Expression = schedARN+"-cron", "cron(0 8 * * ? *)"
		bucket.ARN, bucket.Target = schedARN+"-bucket", "arn:aws:sqs:us-east-1:111122223333:queue"
		w.source.change(func(d *cloud.Deployed) { d.Schedules = []cloud.DeployedSchedule{cron, bucket, other} })
		for range 3 {
			if err := w.reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(calls()) != 1 {
			t.Errorf("%d calls, want one of the schedule that can run", len(calls()))
		}
		for _, want := range []string{"not cron(0 8 * * ? *)", "not arn:aws:sqs:us-east-1:111122223333:queue"} {
			if n := strings.Count(w.log.String(), want); n != 1 {
				t.Errorf("%q is said %d times, want once:\n%s", want, n, w.log)
			}
		}
	})
}

func TestScheduleWithoutRoleCallsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.sessions.untrusted["arn:aws:iam::111122223333:role/schedules"] = true
		calls := w.calling(func(int) error { return nil })
		w.schedule(t, aSchedule())
		synctest.Wait()
		if len(calls()) != 0 {
			t.Errorf("%d calls", len(calls()))
		}
	})
}
