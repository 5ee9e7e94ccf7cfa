package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
)

// writeProfiles makes each profile's role, starts a session of it, and writes the
// file that AWS_CONFIG_FILE names for the AWS CLI and the SDKs.
// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
func writeProfiles(ctx context.Context, file, endpoint string, moto *cloud.Moto, identities *cloud.Identities) error {
	var text strings.Builder
	for _, p := range profiles() {
		role, err := createRole(ctx, moto, p.account, p.role, trusting(`{"AWS":"arn:aws:iam::`+p.account+`:root"}`), p.policy)
		if err != nil {
			return err
		}
		key, err := identities.StartSession(ctx, role, "session", session)
		if err != nil {
			return fmt.Errorf("starting the session of profile %s: %w", p.name, err)
		}
		fmt.Fprintf(&text, "[profile %s]\nregion = %s\nendpoint_url = %s\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n\n",
			p.name, region, endpoint, key.ID, key.Secret, key.SessionToken)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("writing the profiles: %w", err)
	}
	return nil
}
