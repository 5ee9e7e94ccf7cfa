package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

const lots = time.Minute // more than a gateway or target takes for anything

func TestAGatewayIsDeletedInOrderAndNothingElse(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.done("reconcile")
	other, err := w.model.CreateGateway(inA, model.CreateGatewayInput{GatewaySettings: model.GatewaySettings{
		Name: "other", AuthorizerType: model.AWSIAM, ProtocolType: "MCP", RoleARN: roleARN,
	}})
	w.must(err)
	w.changes()

	gone := w.done("gateway", "delete")
	if diff := cmp.Diff([]string{"DELETE resourcepolicy", "DELETE gateways/targets", "DELETE gateways"}, w.changes()); diff != "" {
		t.Errorf("asked for: -want +got\n%s", diff)
	}
	want := "Deleted resource policy\nDeleted target: " + config.TargetID + "\nDeleted gateway: " + config.GatewayID + "\n"
	if diff := cmp.Diff(want, gone.out); diff != "" {
		t.Errorf("said: -want +got\n%s", diff)
	}
	if _, err := w.model.GetGateway(inA, other.ID); err != nil {
		t.Errorf("the other gateway: %v", err)
	}
	if _, exists := w.model.Lookup(config.GatewayID); exists {
		t.Error("it is still there")
	}
	if len(w.rows()) != 1 {
		t.Error("the grants are gone too")
	}

	again := w.done("gateway", "delete")
	want = "Already gone: resource policy\nAlready gone: target: " + config.TargetID + "\nAlready gone: gateway: " + config.GatewayID + "\n"
	if diff := cmp.Diff(want, again.out); diff != "" {
		t.Errorf("said the second time: -want +got\n%s", diff)
	}
}

func TestAHalfDeletedGatewayIsDeletedToTheEnd(t *testing.T) {
	tests := []struct {
		reason string
		before func(w *world, config gatewayConfig)
		want   []string
	}{
		{"the target is gone", func(w *world, c gatewayConfig) {
			_, err := w.model.DeleteGatewayTarget(inA, c.GatewayID, c.TargetID)
			w.must(err)
			w.must(w.sleep(t.Context(), lots))
		}, []string{"DELETE resourcepolicy", "DELETE gateways"}},
		{"the target is on its way", func(w *world, c gatewayConfig) {
			_, err := w.model.DeleteGatewayTarget(inA, c.GatewayID, c.TargetID)
			w.must(err)
		}, []string{"DELETE resourcepolicy", "DELETE gateways"}},
		{"the gateway is on its way", func(w *world, c gatewayConfig) {
			_, err := w.model.DeleteGatewayTarget(inA, c.GatewayID, c.TargetID)
			w.must(err)
			w.must(w.sleep(t.Context(), lots))
			_, err = w.model.DeleteGateway(inA, c.GatewayID)
			w.must(err)
		}, []string{"DELETE resourcepolicy"}},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			config := w.created()
			test.before(w, config)
			w.changes()
			w.done("gateway", "delete")
			if diff := cmp.Diff(test.want, w.changes()); diff != "" {
				t.Errorf("asked for: -want +got\n%s", diff)
			}
			if _, exists := w.model.Lookup(config.GatewayID); exists {
				t.Error("it is still there")
			}
		})
	}
}

func TestDeleteRefusesTooMuchOrNothing(t *testing.T) {
	tests := []struct {
		reason string
		before func(w *world)
		args   []string
		says   string
	}{
		{"no file", func(w *world) { w.must(os.Remove("gateway_config.json")) }, nil, "there is no gateway_config.json: name the file that gateway create wrote with --config"},
		{"credentials of another account", func(*world) {}, []string{"--profile", "account-b"}, "belongs to account 111122223333 and you are in 444455556666: choose the right --profile"},
		{
			"a target that another user added",
			func(w *world) {
				w.done(create("--target", "more-tools", "--config", "more.json")...)
			},
			nil, "has targets that gateway_config.json does not name (more-tools), and nothing was deleted: delete them first, or all of them with --all-targets",
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			config := w.created()
			test.before(w)
			w.changes()
			got := w.run(append([]string{"gateway", "delete"}, test.args...)...)
			if got.code != exitError || !strings.Contains(got.err, test.says) {
				t.Errorf("exit %d, want %d saying %q\n%s", got.code, exitError, test.says, got.err)
			}
			if changes := w.changes(); len(changes) > 0 {
				t.Errorf("asked for %v", changes)
			}
			if _, exists := w.model.Lookup(config.GatewayID); !exists {
				t.Error("it is gone")
			}
		})
	}
}

func TestEveryTargetGoesIfAskedFor(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done(create("--target", "more-tools", "--config", "more.json")...)
	w.done("gateway", "delete", "--all-targets")
	if _, exists := w.model.Lookup(config.GatewayID); exists {
		t.Error("it is still there")
	}
}
