package control_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

func TestGetCallerIdentity(t *testing.T) {
	s := start(t)
	key := s.user("alice", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	who, err := identify(t.Context(), s, key)
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(who.Arn) != key.Caller.ARN || aws.ToString(who.Account) != accountA || aws.ToString(who.UserId) != key.Caller.UserID {
		t.Errorf("%+v", who)
	}
}

func TestGetCallerIdentityRefusesAWrongSecret(t *testing.T) {
	s := start(t)
	key := s.root(accountA)
	key.Secret += "x"
	_, err := identify(t.Context(), s, key)
	if code := status(t, middleware.Metadata{}, err); code != http.StatusForbidden || !strings.HasPrefix(said(err), "SignatureDoesNotMatch: ") {
		t.Errorf("%d, %s", code, said(err))
	}
}

func TestOtherSTSActionsArePassedOnWhole(t *testing.T) {
	s := start(t)
	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}}.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.stsURL, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	response, text := s.answer(r)
	if response.StatusCode != http.StatusTeapot || text != "passed on: "+form {
		t.Errorf("%d %s", response.StatusCode, text)
	}
}
