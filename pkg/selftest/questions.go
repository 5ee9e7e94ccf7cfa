package selftest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// exampleOrganization stands for the organization in the report, and in the put where
// the caller's own may not be read.
const exampleOrganization = "o-exampleorgid"

// Question names. Answers are compared by them, so they never change.
const (
	AskNoPolicy     = "no-policy"
	AskReturned     = "what-get-returns"
	AskList         = "principal-list"
	AskOrganization = "organization-wildcard"
	AskSize         = "size"
	AskUniqueID     = "unique-id"
	AskErrors       = "error-texts"
	AskTrail        = "cloudtrail"
)

// questions puts each to a gateway of its own, which the product does not manage.
func (r *run) questions(ctx context.Context) error {
	gateway, err := r.gateway(ctx, r.Name+"-open", false)
	if err != nil {
		return err
	}
	g := &asked{r: r, arn: gateway.ARN, url: gateway.URL}
	for _, q := range []struct {
		name, text string
		ask        func(context.Context) (string, error)
	}{
		{AskNoPolicy, "what do get and delete answer where there is no policy?", g.noPolicy},
		{AskReturned, "does a policy come back as it was put?", g.returned},
		{AskList, "is a list of two principals accepted?", g.list},
		{AskOrganization, `is an Allow for "*" with a condition on aws:PrincipalOrgID accepted, and does it let in?`, g.wildcard},
		{AskSize, "is a policy measured before or after account ids are expanded to ARNs?", g.size},
		{AskUniqueID, "what stands in a policy for a role that was deleted, and may that be put again?", g.uniqueID},
		{AskErrors, "what does AWS say of a policy that it rejects?", g.errors},
	} {
		r.Progress("ask: " + q.text)
		answer, err := q.ask(ctx)
		if ctx.Err() != nil {
			return ctx.Err() // an interruption is no answer
		}
		r.answered(q.name, q.text, answer, err)
	}
	return nil
}

func (r *run) answered(name, text, answer string, err error) {
	q := Question{Name: name, Asked: text, Answer: answer}
	if err != nil {
		q.Answer, q.Open = "", err.Error()
	}
	r.report.Questions = append(r.report.Questions, q)
}

// asked is the gateway that questions are put to.
type asked struct {
	r        *run
	arn, url string
}

// rejected is how AWS rejected a call. Every other failure is no answer.
type rejected struct{ text string }

func (e *rejected) Error() string { return e.text }

// answerOf separates a rejection, which is an answer, from a failure.
func answerOf(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	status := 0
	if response, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = response.HTTPStatusCode()
	}
	if status == http.StatusTooManyRequests || status >= http.StatusInternalServerError || status == http.StatusForbidden {
		return err
	}
	text := fmt.Sprintf("%d %s", status, api.ErrorCode())
	if invalid, ok := errors.AsType[*types.ValidationException](err); ok && invalid.Reason != "" {
		text += " (" + string(invalid.Reason) + ")"
	}
	return &rejected{text + ": " + api.ErrorMessage()}
}

func (g *asked) put(ctx context.Context, document string) error {
	_, err := g.r.Policies.PutResourcePolicy(ctx, &control.PutResourcePolicyInput{ResourceArn: &g.arn, Policy: &document})
	return answerOf(err)
}

// verdict puts a document, and says whether it was accepted.
func (g *asked) verdict(ctx context.Context, document string) (accepted bool, text string, err error) {
	err = g.put(ctx, document)
	if no, ok := errors.AsType[*rejected](err); ok {
		return false, "rejected: " + no.text, nil
	}
	return err == nil, "accepted", err
}

func (g *asked) get(ctx context.Context) (string, error) {
	answer, err := g.r.Policies.GetResourcePolicy(ctx, &control.GetResourcePolicyInput{ResourceArn: &g.arn})
	if err != nil {
		return "", answerOf(err)
	}
	return aws.ToString(answer.Policy), nil
}

// readsWithin is how long a read may lag behind a write.
const readsWithin = 2 * time.Minute

// shown reads the policy until it has that text in it.
func (g *asked) shown(ctx context.Context, part string) (text string, err error) {
	waited := g.r.until(ctx, readsWithin, func() bool {
		text, err = g.get(ctx)
		return err == nil && strings.Contains(text, part)
	})
	if err == nil && waited != nil {
		err = fmt.Errorf("what was put did not come back: %w", waited)
	}
	return text, err
}

// statement is one Allow, with its Sid and principal as given.
func (g *asked) statement(sid, principal, more string) string {
	return fmt.Sprintf(`{"Sid":%q,"Effect":"Allow","Principal":%s,"Action":"bedrock-agentcore:InvokeGateway","Resource":%q%s}`, sid, principal, g.arn, more)
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// root is the ARN of an account's root, in the partition of the gateway.
func (g *asked) root(account string) string {
	return "arn:" + strings.Split(g.arn, ":")[1] + ":iam::" + account + ":root"
}

func aws1(principal string) string { return fmt.Sprintf(`{"AWS":%q}`, principal) }

func (g *asked) noPolicy(ctx context.Context) (string, error) {
	read := "get: 200 without a policy"
	if text, err := g.get(ctx); err != nil {
		no, ok := errors.AsType[*rejected](err)
		if !ok {
			return "", err
		}
		read = "get: " + no.text
	} else if text != "" {
		return "", errors.New("the new gateway has a policy already: " + text)
	}
	_, err := g.r.Policies.DeleteResourcePolicy(ctx, &control.DeleteResourcePolicyInput{ResourceArn: &g.arn})
	deleted := "delete: success"
	if err = answerOf(err); err != nil {
		no, ok := errors.AsType[*rejected](err)
		if !ok {
			return "", err
		}
		deleted = "delete: " + no.text
	}
	return read + "\n" + deleted, nil
}

func (g *asked) returned(ctx context.Context) (string, error) {
	put := document(
		g.statement("Second", aws1(g.r.Caller), ""),
		g.statement("First", aws1(g.root(g.r.Caller)), `, "Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-0123456789abcdef0"]}}`),
	)
	if err := g.put(ctx, put); err != nil {
		return "", err
	}
	text, err := g.shown(ctx, "Second")
	if err != nil {
		return "", err
	}
	if text == put {
		return "byte for byte", nil
	}
	return "otherwise\nput: " + put + "\ngot: " + text, nil
}

func (g *asked) list(ctx context.Context) (string, error) {
	_, text, err := g.verdict(ctx, document(g.statement("List", fmt.Sprintf(`{"AWS":[%q,%q]}`, g.root(g.r.Caller), g.root(g.r.Account)), "")))
	return text, err
}

// wildcard opens the gateway to the organization alone, if AWS lets it.
func (g *asked) wildcard(ctx context.Context) (string, error) {
	id, err := g.r.Beyond.Organization(ctx)
	g.r.organization = id
	note := ""
	if err != nil {
		id, note = exampleOrganization, " (with an organization of AWS's examples: "+err.Error()+")"
	}
	accepted, text, err := g.verdict(ctx, document(g.statement("Organization", `"*"`, fmt.Sprintf(`,"Condition":{"StringEquals":{"aws:PrincipalOrgID":%q}}`, id))))
	if err != nil || !accepted || note != "" {
		return text + note, err
	}
	var last Answer
	err = g.r.until(ctx, readsWithin, func() bool {
		last = g.r.Call(ctx, g.url)
		return last.OK
	})
	switch {
	case errors.Is(err, errTooLong):
		return text + ", and the caller is not let in: " + last.String(), nil
	case err != nil:
		return "", err
	}
	return text + ", and it lets the caller in", nil
}

// AWS takes policies of up to so many bytes.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
const (
	maxBytes      = 20480
	maxStatements = 100
)

// size puts two policies that name the caller's account by its id, as often as
// statements allow: one that fits either way, and one that fits only as submitted.
func (g *asked) size(ctx context.Context) (string, error) {
	expansion := len(g.root(g.r.Caller)) - len(g.r.Caller)
	one := len(g.statement("S000", aws1(g.r.Caller), "")) + len(",")
	count := min(maxStatements, (maxBytes-500)/(one+expansion))
	between := maxBytes - 40
	if between+count*expansion <= maxBytes+200 {
		return "", errors.New("too few statements fit to know")
	}
	accepted, text, err := g.verdict(ctx, g.ofSize(count, maxBytes-count*expansion-200))
	if err != nil {
		return "", err
	}
	if !accepted {
		return "", errors.New("a policy that fits either way is " + text)
	}
	accepted, text, err = g.verdict(ctx, g.ofSize(count, between))
	if err != nil {
		return "", err
	}
	if accepted {
		return "before: as submitted", nil
	}
	return "after, or " + text, nil
}

// ofSize is a policy of so many statements and about so many bytes, of which its Sids
// take what is left.
func (g *asked) ofSize(count, bytes int) string {
	statements := make([]string, count)
	for i := range statements {
		statements[i] = g.statement(fmt.Sprintf("S%03d", i), aws1(g.r.Caller), "")
	}
	padding := bytes - len(document(statements...))
	for i := range statements {
		pad := strings.Repeat("x", padding*(i+1)/count-padding*i/count)
		statements[i] = g.statement(fmt.Sprintf("S%03d%s", i, pad), aws1(g.r.Caller), "")
	}
	return document(statements...)
}

// existsWithin is how long a new role may be unknown to other services.
const existsWithin = time.Minute

func (g *asked) uniqueID(ctx context.Context) (string, error) {
	name := g.r.Name + "-role"
	g.r.willMake(made{
		what: "role " + name, command: "aws iam delete-role --role-name " + name + ", in the caller's account",
		remove: func(ctx context.Context) error { return g.r.Beyond.DeleteRole(ctx, name) },
	})
	arn, err := g.r.Beyond.CreateRole(ctx, name)
	if err != nil {
		g.r.made = g.r.made[:len(g.r.made)-1] // it is not there
		return "", err
	}
	put := document(g.statement("Role", aws1(arn), ""))
	var failed error
	if err := g.r.until(ctx, existsWithin, func() bool { failed = g.put(ctx, put); return failed == nil }); err != nil {
		return "", errors.Join(failed, err)
	}
	if _, err := g.shown(ctx, `"Role"`); err != nil {
		return "", err
	}
	if err := g.r.Beyond.DeleteRole(ctx, name); err != nil {
		return "", err
	}
	text := ""
	err = g.r.until(ctx, existsWithin, func() bool {
		text, err = g.get(ctx)
		return err == nil && !strings.Contains(text, name)
	})
	if err != nil && !errors.Is(err, errTooLong) {
		return "", err
	}
	stands := "the role's ARN stays"
	if !strings.Contains(text, name) {
		stands = "another principal stands for the role: " + text
	}
	_, again, err := g.verdict(ctx, text)
	return stands + "\nput again: " + again, err
}

func (g *asked) errors(ctx context.Context) (string, error) {
	root, resource := aws1(g.root(g.r.Caller)), `"Resource":`
	ours := g.statement("S", root, "")
	var lines []string
	for _, c := range []struct{ name, document string }{
		{"invalid JSON", `{"Version":`},
		{"no statements", document()},
		{"no principal", strings.Replace(document(ours), `"Principal":`+root+`,`, "", 1)},
		{"a role that does not exist", document(g.statement("S", aws1(strings.TrimSuffix(g.root(g.r.Caller), "root")+"role/"+g.r.Name+"-none"), ""))},
		{"an action of another service", strings.Replace(document(ours), "bedrock-agentcore:InvokeGateway", "s3:GetObject", 1)},
		{"another action of the service", strings.Replace(document(ours), "bedrock-agentcore:InvokeGateway", "bedrock-agentcore:GetGateway", 1)},
		{"the resource *", strings.Replace(document(ours), resource+`"`+g.arn+`"`, resource+`"*"`, 1)},
		{"two statements with one Sid", document(ours, ours)},
		{"more than 20,480 bytes", g.ofSize(1, maxBytes+1)},
	} {
		_, text, err := g.verdict(ctx, c.document)
		if err != nil {
			text = "no answer: " + err.Error()
		}
		lines = append(lines, c.name+": "+text)
	}
	return strings.Join(lines, "\n"), nil
}

// trail asks last, because CloudTrail takes minutes, and everything is removed by then.
func (r *run) trail(ctx context.Context) {
	if r.TrailWithin <= 0 || len(r.report.Steps) == 0 {
		return
	}
	const text = "does CloudTrail record calls on resource policies?"
	r.Progress("ask: " + text)
	events := []string{"CreateGateway", "PutResourcePolicy", "DeleteResourcePolicy", "DeleteGateway"}
	seen := map[string]bool{}
	var failed error
	err := r.until(ctx, r.TrailWithin, func() bool {
		for _, event := range events {
			if !seen[event] {
				seen[event], failed = r.Beyond.Recorded(ctx, event, r.report.Started)
			}
			if failed != nil {
				return true
			}
		}
		return len(events) == countTrue(seen)
	})
	if failed == nil && err != nil && !errors.Is(err, errTooLong) {
		failed = err
	}
	var lines []string
	for _, event := range events {
		verdict := "recorded"
		if !seen[event] {
			verdict = fmt.Sprintf("not recorded within %s", r.TrailWithin)
		}
		lines = append(lines, event+": "+verdict)
	}
	r.answered(AskTrail, text, strings.Join(lines, "\n"), failed)
}

func countTrue(of map[string]bool) (n int) {
	for _, is := range of {
		if is {
			n++
		}
	}
	return n
}
