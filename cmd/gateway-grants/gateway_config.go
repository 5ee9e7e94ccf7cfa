package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// gatewayConfig is the file that gateway create writes and others read.
type gatewayConfig struct {
	GatewayID  string `json:"gateway_id"`
	GatewayURL string `json:"gateway_url"`
	GatewayARN string `json:"gateway_arn"`
	TargetID   string `json:"target_id"`
	LambdaARN  string `json:"lambda_arn"`
	AccountID  string `json:"account_id"`
	Region     string `json:"region"`
}

// readGatewayConfig reads the file; nil for none.
func readGatewayConfig(file string) (*gatewayConfig, error) {
	text, err := os.ReadFile(filepath.Clean(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse("%s cannot be read (%v): make it readable, or name another file with --config", file, err)
	}
	var config gatewayConfig
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, refuse("%s is not what gateway create writes (%v): correct it, or name another file with --config", file, err)
	}
	if _, err := config.gateway(); err != nil {
		return nil, refuse("%s names no gateway (%v): correct it, or name another file with --config", file, err)
	}
	return &config, nil
}

func (c *gatewayConfig) gateway() (grant.Gateway, error) { return grant.ParseGateway(c.GatewayARN) }

// write puts the file in place at once: a reader finds the old one or the new one,
// and a failure leaves the old one.
func (c *gatewayConfig) write(file string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	draft, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() { _ = os.Remove(draft.Name()) }() // gone already where all went well
	_, err = draft.Write(append(text, '\n'))
	err = errors.Join(err, draft.Chmod(0o644), draft.Sync(), draft.Close())
	if err == nil {
		err = os.Rename(draft.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
