package cloud

import (
	"fmt"
	"net/http"
	"regexp"
)

// credentialsHeader tells moto's server with which credentials CloudFormation was
// called: "KEY SECRET" or "KEY SECRET TOKEN".
const credentialsHeader = "X-Sandbox-Credentials" //nolint:gosec // a name, no secret

var accessKeyID = regexp.MustCompile(`Credential=([^/,\s]+)/`)

// forwardAccess lets CloudFormation act with its caller's credentials where it makes
// what moto has not: AgentCore's gateways, which are served here.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
func (u *Upstream) forwardAccess(r *http.Request) error {
	r.Header.Del(credentialsHeader)
	id := accessKeyID.FindStringSubmatch(r.Header.Get("Authorization"))
	if id == nil || scopedService(r) != "cloudformation" {
		return nil
	}
	key, err := u.identities.AccessKey(r.Context(), id[1])
	if err != nil {
		return fmt.Errorf("looking up the caller's credentials for CloudFormation: %w", err)
	}
	credentials := key.ID + " " + key.Secret
	if key.SessionToken != "" {
		credentials += " " + key.SessionToken
	}
	r.Header.Set(credentialsHeader, credentials)
	return nil
}
