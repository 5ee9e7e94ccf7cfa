// Package permissions has the identity policies of those who work with a deployment: who
// deploys it, who edits its grants, and who only looks. They are for a deployment that is
// named gateway-grants; tests use them as they are.
package permissions

import _ "embed"

// The policies, as IAM takes them.
var (
	//go:embed deploy.json
	Deploy []byte
	//go:embed admin.json
	Admin []byte
	//go:embed auditor.json
	Auditor []byte
)
