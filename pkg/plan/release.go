package plan

import "github.com/gateway-grants/gateway-grants/pkg/policy"

// Release is what is left of a policy without the statements of the installation,
// which it returns as well. Foreign statements keep their order and their bytes.
// Where nothing is left it is nil, because a policy without statements is invalid.
func Release(document *policy.Document, installation string) (rest *policy.Document, owned []policy.Statement) {
	owned, foreign := split(document, installation)
	if len(foreign) == 0 {
		return nil, owned
	}
	return document.WithStatements(foreign...), owned
}
