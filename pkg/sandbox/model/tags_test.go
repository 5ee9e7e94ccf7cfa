package model_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestTagsAreAddedReplacedAndTakenOff(t *testing.T) {
	w := newWorld(t)
	in := iamGateway("tools")
	in.Tags = map[string]string{"gateway-grants:managed": "true"}
	g := w.gateway(in)
	if err := w.TagResource(ownerA, g.ARN, map[string]string{"team": "a", "gateway-grants:managed": "false"}); err != nil {
		t.Fatal(err)
	}
	if err := w.UntagResource(ownerA, g.ARN, []string{"team", "never-there"}); err != nil {
		t.Fatal(err)
	}
	got, err := w.ListTagsForResource(ownerA, g.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"gateway-grants:managed": "false"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(got, w.Tags(g.ARN)); diff != "" {
		t.Errorf("Tags: -want +got\n%s", diff)
	}
}

func TestTagCallsAreChecked(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint("k", i)] = "v"
	}
	if err := w.TagResource(ownerA, g.ARN, many); err != nil {
		t.Fatalf("50 tags: %v", err)
	}
	gone := "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gone-0123456789"
	for name, test := range map[string]struct {
		reason string
		err    error
		want   model.Code
	}{
		"TooMany":   {"50 tags a resource", w.TagResource(ownerA, g.ARN, map[string]string{"more": ""}), model.ServiceQuotaExceeded},
		"NoTags":    {"tags is required", w.TagResource(ownerA, g.ARN, nil), model.Validation},
		"BadKey":    {"keys have a pattern", w.TagResource(ownerA, g.ARN, map[string]string{"a!": ""}), model.Validation},
		"EmptyKey":  {"keys have a character", w.UntagResource(ownerA, g.ARN, []string{""}), model.Validation},
		"NotAnARN":  {"resourceArn has a pattern", w.TagResource(ownerA, "tools-0123456789-and-more", many), model.Validation},
		"Gone":      {"the gateway is not there", w.UntagResource(ownerA, gone, []string{"a"}), model.ResourceNotFound},
		"Foreign":   {"the gateway is another account's", w.TagResource(ownerB, g.ARN, map[string]string{"a": "b"}), model.AccessDenied},
		"Elsewhere": {"the gateway is in another region", w.TagResource(ownerA, "arn:aws:bedrock-agentcore:eu-west-1:111122223333:gateway/"+g.ID, map[string]string{"a": "b"}), model.ResourceNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if code(test.err) != test.want {
				t.Errorf("%s: got %v, want %s", test.reason, test.err, test.want)
			}
		})
	}
	if _, err := w.ListTagsForResource(ownerA, gone); code(err) != model.ResourceNotFound {
		t.Errorf("ListTagsForResource: %v", err)
	}
}
