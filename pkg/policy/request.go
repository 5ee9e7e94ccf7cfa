package policy

import "strings"

// request is a call while it is being decided.
type request struct {
	*Call
	action  string // folded
	account string // of the resource

	partly  bool     // not everything is known of the call
	unknown []string // keys whose values are not, although the call has some
	favour  bool     // what is not known favours the caller
}

func newRequest(call *Call) request {
	r := request{Call: call, action: fold(call.Action), account: call.ResourceAccount}
	if r.account == "" {
		r.account = arnAccount(call.Resource)
	}
	return r
}

// sameAccount reports whether the caller's account owns the resource.
func (r *request) sameAccount() bool { return r.Caller.Account == r.account }

// values returns the values of the context key, which is in lower case. What
// the call says goes before what follows from it.
func (r *request) values(key string) []string {
	if values := r.given(key); len(values) > 0 {
		return values
	}
	if value := r.derived(key); value != "" {
		return []string{value}
	}
	return nil
}

// given looks a key up in the call's context. If it is there in several
// spellings, the one that sorts first counts.
func (r *request) given(key string) []string {
	var found []string
	spelling := ""
	for name, values := range r.Context {
		if len(name) == len(key) && (spelling == "" || name < spelling) && strings.EqualFold(name, key) {
			found, spelling = values, name
		}
	}
	return found
}

// derived is what AWS fills in about the caller and the resource; "" if that
// says nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
func (r *request) derived(key string) string {
	switch key {
	case "aws:principalarn":
		return r.Caller.PrincipalARN
	case "aws:principalaccount":
		return r.Caller.Account
	case "aws:principaltype":
		return r.Caller.principalType()
	case "aws:userid":
		return r.Caller.userID()
	case "aws:username":
		return r.Caller.userName()
	case "aws:principalisawsservice":
		switch r.Caller.Kind {
		case ServiceCaller:
			return "true"
		case Anonymous:
			return ""
		default:
			return "false"
		}
	case "aws:principalservicename":
		return r.Caller.Service
	case "aws:resourceaccount":
		return r.account
	}
	return ""
}
