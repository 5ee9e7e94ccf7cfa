package cloud

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// STS issues role sessions to the callers that the role's trust policy lets in, which
// moto would give to anybody. Other operations are refused, rather than answered
// with moto's credentials, which no verifier knows.
type STS struct {
	Verifier   *sigv4.Verifier
	Identities *Identities
	// Decider decides by both sides' policies; one that records nothing if nil.
	Decider *iam.Decider
}

const (
	maxSTSBody      = 1 << 20 // bytes; the largest parameter is a policy of 2,048 characters
	defaultSession  = time.Hour
	shortestSession = 15 * time.Minute
	longestSession  = 12 * time.Hour
)

// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// stsError is a refusal in the words of STS.
type stsError struct {
	status        int
	code, message string
}

func (e *stsError) Error() string { return e.code + ": " + e.message }

func (s *STS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := s.serve(r)
	if refused := (*sigv4.Error)(nil); errors.As(err, &refused) {
		refuseSignature(w, r, refused)
		return
	}
	if refused := (*stsError)(nil); errors.As(err, &refused) {
		refuse(w, r, refused.status, refused.code, refused.message)
		return
	}
	if err != nil {
		refuse(w, r, http.StatusInternalServerError, "InternalFailure", err.Error())
		return
	}
	writeXML(w, http.StatusOK, answer)
}

func (s *STS) serve(r *http.Request) (any, error) {
	// Any region's endpoint will do, and so will the global one.
	identity, err := s.Verifier.Verify(r, sigv4.Expect{Service: "sts", MaxBody: maxSTSBody})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &stsError{http.StatusBadRequest, "MalformedInput", err.Error()}
	}
	if action := form.Get("Action"); action != "AssumeRole" {
		return nil, &stsError{http.StatusBadRequest, "InvalidAction", "Could not find operation " + action + ": the stand-in has GetCallerIdentity and AssumeRole."}
	}
	return s.assumeRole(r, identity, form)
}

type assumedRole struct {
	XMLName      xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
	ARN          string   `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	UserID       string   `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
	AccessKeyID  string   `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret       string   `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	SessionToken string   `xml:"AssumeRoleResult>Credentials>SessionToken"`
	Expires      string   `xml:"AssumeRoleResult>Credentials>Expiration"`
}

// knownParameters are all that AssumeRole may have here. Session policies, tags and
// the like would change what the session is allowed: to ignore them would let in
// more than AWS does.
var knownParameters = map[string]bool{
	"Action": true, "Version": true, "RoleArn": true, "RoleSessionName": true, "DurationSeconds": true, "ExternalId": true,
}

// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var externalID = regexp.MustCompile(`^[\w+=,.@:/-]+$`)

func (s *STS) assumeRole(r *http.Request, identity sigv4.Identity, form url.Values) (any, error) {
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if !knownParameters[name] || len(form[name]) != 1 {
			return nil, &stsError{http.StatusBadRequest, "ValidationError", "The stand-in does not know AssumeRole's " + name + ", or not more than once."}
		}
	}
	session := form.Get("RoleSessionName")
	if !sessionName.MatchString(session) {
		return nil, &stsError{http.StatusBadRequest, "ValidationError", fmt.Sprintf("Value %q at 'roleSessionName' failed to satisfy constraint: 2 to 64 letters, digits or any of _+=,.@-", session)}
	}
	lifetime, err := sessionLifetime(form.Get("DurationSeconds"))
	if err != nil {
		return nil, err
	}
	if external := form.Get("ExternalId"); form.Has("ExternalId") && (len(external) < 2 || len(external) > 1224 || !externalID.MatchString(external)) {
		return nil, &stsError{http.StatusBadRequest, "ValidationError", "Value at 'externalId' failed to satisfy constraint: 2 to 1,224 letters, digits or any of _+=,.@:/-"}
	}
	roleARN := form.Get("RoleArn")
	allowed, err := s.mayAssume(r, identity, roleARN, form)
	if err != nil {
		return nil, err
	}
	if !allowed {
		return nil, &stsError{http.StatusForbidden, "AccessDenied", "User: " + identity.Caller.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + roleARN}
	}
	key, err := s.Identities.StartSession(r.Context(), roleARN, session, lifetime)
	if err != nil {
		return nil, err
	}
	return assumedRole{
		ARN: key.Caller.ARN, UserID: key.Caller.UserID,
		AccessKeyID: key.ID, Secret: key.Secret, SessionToken: key.SessionToken, Expires: key.Expires.UTC().Format(time.RFC3339),
	}, nil
}

// mayAssume does not tell a role that is not there from one that does not trust
// the caller; AWS does not either.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
func (s *STS) mayAssume(r *http.Request, identity sigv4.Identity, roleARN string, form url.Values) (bool, error) {
	trust, err := s.Identities.trust(r.Context(), roleARN)
	if err != nil && !errors.Is(err, iam.ErrNotFound) {
		return false, err
	}
	keys := identity.Context(r, s.Verifier.Now())
	for key, parameter := range map[string]string{"sts:ExternalId": "ExternalId", "sts:RoleSessionName": "RoleSessionName"} {
		if value := form.Get(parameter); value != "" {
			keys[key] = []string{value}
		}
	}
	decider := iam.Decider{Policies: s.Identities}
	if s.Decider != nil {
		decider = *s.Decider
	}
	decision, err := decider.AssumeRole(r.Context(), identity.Caller, roleARN, trust, keys)
	return decision.Allowed, err
}

func sessionLifetime(seconds string) (time.Duration, error) {
	if seconds == "" {
		return defaultSession, nil
	}
	n, err := strconv.Atoi(seconds)
	lifetime := time.Duration(n) * time.Second
	if err != nil || lifetime < shortestSession || lifetime > longestSession {
		return 0, &stsError{http.StatusBadRequest, "ValidationError", fmt.Sprintf("Value %q at 'durationSeconds' failed to satisfy constraint: 900 to 43200", seconds)}
	}
	return lifetime, nil
}

// trust is the role's trust policy, or iam.ErrNotFound for a role that does not exist
// has made.
func (i *Identities) trust(ctx context.Context, roleARN string) (*policy.Document, error) {
	role, err := i.role(ctx, roleARN)
	if err != nil {
		return nil, err
	}
	return parsePolicy("that "+roleARN+" trusts by", role.trust)
}
