// Package bench compares policy.Equal with the library that Terraform's AWS
// provider uses for the same question, on the same pair of documents.
package bench

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	awspolicy "github.com/hashicorp/awspolicyequivalence"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const gatewayARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-0123456789"

// spelled is one policy for n accounts: as we write it, in the same order with a
// list for the action, and in another order with accounts as ids.
func spelled(n int) (ours, similar, otherwise string) {
	var roots, ids []string
	for i := range n {
		id := fmt.Sprintf("%012d", 100000000000+i*7919)
		roots, ids = append(roots, `"arn:aws:iam::`+id+`:root"`), append(ids, `"`+id+`"`)
	}
	slices.Reverse(ids)
	document := func(principals []string) string {
		return `{"Version":"2012-10-17","Statement":[{"Sid":"GatewayGrantsmainX0123456789ab","Effect":"Allow","Principal":{"AWS":[` +
			strings.Join(principals, ",") + `]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `"}]}`
	}
	const action = `"bedrock-agentcore:InvokeGateway"`
	return document(roots), strings.Replace(document(roots), action, "["+action+"]", 1), document(ids)
}

func equal(a, b string) (bool, error) {
	first, err := policy.Parse([]byte(a))
	if err != nil {
		return false, err
	}
	second, err := policy.Parse([]byte(b))
	if err != nil {
		return false, err
	}
	return policy.Equal(first, second), nil
}

// BenchmarkEqual has both read two texts and say whether they mean the same. With
// the 600 principals of a full policy the other takes seconds for each.
func BenchmarkEqual(b *testing.B) {
	for _, n := range []int{10, 100} {
		ours, similar, otherwise := spelled(n)
		for _, with := range []struct {
			name  string
			equal func(a, b string) (bool, error)
		}{{"policy.Equal", equal}, {"awspolicyequivalence", awspolicy.PoliciesAreEquivalent}} {
			for _, theirs := range []struct{ name, text string }{{"similar", similar}, {"otherwise", otherwise}} {
				b.Run(fmt.Sprintf("principals=%d/%s/%s", n, theirs.name, with.name), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if same, err := with.equal(ours, theirs.text); err != nil || !same {
							b.Fatalf("same is %t, %v", same, err)
						}
					}
				})
			}
		}
	}
}
