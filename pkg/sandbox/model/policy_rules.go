package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Neither limit is adjustable.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html
const (
	policySize       = 20480
	policyStatements = 100
)

// invokeGateway is the only action that a gateway's policy may name.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html
const invokeGateway = "bedrock-agentcore:InvokeGateway"

// The sentences of PutResourcePolicy's refusals, as third parties have reported
// them: https://github.com/badmintoncryer/cdk-preflight. The last was seen on a
// Runtime. Where no report has one, the sentence is ours.
const (
	invalidJSON      = "This policy contains invalid Json"
	noStatements     = "Policy has no statements"
	missingField     = "Missing required field %s"
	invalidAction    = "Policy has invalid action"
	invalidResource  = "Policy statement block must contain exactly one resource ARN that matches the provided resource ARN"
	invalidPrincipal = "Invalid principal in policy"
)

var plainSid = regexp.MustCompile(`^[A-Za-z0-9]*$`)

// readPolicy holds a policy to AgentCore's rules for the gateway and pins its
// principals.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html
func (s *Service) readPolicy(g Gateway, text string) (*storedPolicy, error) {
	if err := s.checkSize(text); err != nil {
		return nil, err
	}
	if !json.Valid([]byte(text)) {
		return nil, &Error{Code: Validation, Reason: CannotParse, Message: invalidJSON}
	}
	document, err := s.parse(text)
	if err != nil {
		return nil, &Error{Code: Validation, Reason: CannotParse, Message: err.Error()}
	}
	if err := document.Repeated(); err != nil {
		return nil, &Error{Code: Validation, Reason: CannotParse, Message: err.Error()}
	}
	if err := s.checkStatements(g, document, text); err != nil {
		return nil, err
	}
	if s.opts.Quirks.Has(SizeExpanded) {
		if err := s.checkSize(s.expanded(document)); err != nil {
			return nil, err
		}
	}
	pins, err := s.pins(document)
	if err != nil {
		return nil, err
	}
	return &storedPolicy{text: text, document: document, pins: pins}, nil
}

// parse reads what the policy means.
func (s *Service) parse(text string) (*policy.Document, error) {
	if s.opts.Quirks.Has(RepeatedNamesAccepted) {
		decided, err := lastValues(text)
		if err != nil {
			return nil, err
		}
		text = decided
	}
	return policy.Parse([]byte(text))
}

// lastValues is the text with each name once in an object, with its last value.
func lastValues(text string) (string, error) {
	var value any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", fmt.Errorf("reading a policy: %w", err)
	}
	return compact(value)
}

// checkSize bounds a policy. The message repeats only its beginning.
func (s *Service) checkSize(text string) error {
	var v violations
	size := len(text)
	if s.opts.Quirks.Has(SizeInCharacters) {
		size = utf8.RuneCountInString(text)
	}
	switch {
	case text == "":
		v.add("policy", "", "Member must have length greater than or equal to 1")
	case size > policySize:
		v.add("policy", fmt.Sprintf("%.20s…", text), fmt.Sprintf("Member must have length less than or equal to %d", policySize))
	}
	return v.err()
}

func (s *Service) checkStatements(g Gateway, document *policy.Document, text string) error {
	if document.Version == "" {
		return invalid(missingField, "Version")
	}
	if document.Statements == nil || len(document.Statements) == 0 && !s.opts.Quirks.Has(EmptyStatementAccepted) {
		return invalid(noStatements)
	}
	if n := len(document.Statements); n > policyStatements {
		return invalid("Policy has %d statements, more than the maximum of %d", n, policyStatements)
	}
	if s.opts.Quirks.Has(OneResourceListRefused) && listsResource([]byte(text)) {
		return invalid(invalidResource)
	}
	sids := map[string]bool{}
	for _, statement := range document.Statements {
		if err := s.checkSid(statement.Sid, sids); err != nil {
			return err
		}
		if err := s.checkStatement(g, statement); err != nil {
			return err
		}
	}
	return nil
}

// checkSid holds a Sid to what IAM asks for in its own policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
func (s *Service) checkSid(sid string, seen map[string]bool) error {
	if sid == "" {
		return nil
	}
	if seen[sid] && !s.opts.Quirks.Has(DuplicateSidsAccepted) {
		return invalid("Statement IDs (SID) in a single policy must be unique")
	}
	seen[sid] = true
	if s.opts.Quirks.Has(PlainSidsOnly) && !plainSid.MatchString(sid) {
		return invalid("Statement IDs (SID) must be alpha-numeric")
	}
	return nil
}

// checkStatement: Effect, Principal and Action are required, and Resource must
// be the gateway's ARN. Their Not… twins do not stand in for them.
func (s *Service) checkStatement(g Gateway, statement policy.Statement) error {
	if statement.Effect == "" {
		return invalid(missingField, "Effect")
	}
	if !namesAnyone(statement.Principal) {
		return invalid(missingField, "Principal")
	}
	if len(statement.Action) == 0 {
		return invalid(missingField, "Action")
	}
	for _, action := range statement.Action {
		if !s.allowedAction(action) {
			return invalid(invalidAction)
		}
	}
	if len(statement.Resource) != 1 || statement.Resource[0] != g.ARN {
		return invalid(invalidResource)
	}
	return s.checkPrincipal(g.AuthorizerType, statement)
}

// allowedAction compares without case, as IAM does everywhere. Wildcards that
// would match the one action are nowhere shown: refused.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
func (s *Service) allowedAction(action string) bool {
	if s.opts.Quirks.Has(ServiceActionsAccepted) {
		service, _, _ := strings.Cut(action, ":")
		return strings.EqualFold(service, "bedrock-agentcore")
	}
	return strings.EqualFold(action, invokeGateway)
}

// checkPrincipal: with AWS_IAM, users, roles, accounts and services, and "*"
// only in Deny; with CUSTOM_JWT, "*" alone. For the types that enforce no
// authorisation AWS documents no rule on principals, and there is none here.
func (s *Service) checkPrincipal(authorizer AuthorizerType, statement policy.Statement) error {
	who := statement.Principal
	if len(who.AWS) > 1 && s.opts.Quirks.Has(PrincipalListsRefused) {
		return invalid(invalidPrincipal)
	}
	switch authorizer {
	case CustomJWT:
		if !everyone(who) || namesOthers(who) {
			return invalid(invalidPrincipal)
		}
	case AWSIAM:
		if everyone(who) && statement.Effect == policy.Allow && !s.mayAllowEveryone(statement) {
			return invalid(invalidPrincipal)
		}
		if len(who.Federated)+len(who.CanonicalUser)+len(who.Other) > 0 {
			return invalid(invalidPrincipal)
		}
	case AuthenticateOnly, NoAuthorizer:
	}
	if len(who.Service) > 0 && !s.opts.Quirks.Has(UnconditionalServiceAccepted) &&
		!hasCondition(statement, "aws:SourceAccount", "aws:SourceArn") {
		return invalid(invalidPrincipal)
	}
	return nil
}

// mayAllowEveryone reports whether a statement may allow "*".
func (s *Service) mayAllowEveryone(statement policy.Statement) bool {
	quirks := s.opts.Quirks
	return quirks.Has(WildcardAllowAccepted) ||
		quirks.Has(OrgWildcardAccepted) && hasCondition(statement, "aws:PrincipalOrgID", "aws:PrincipalOrgPaths")
}

func namesAnyone(who *policy.Principals) bool {
	return who != nil && (who.Everyone || len(who.AWS)+len(who.Service)+len(who.Federated)+len(who.CanonicalUser)+len(who.Other) > 0)
}

func everyone(who *policy.Principals) bool {
	return who.Everyone || slices.Contains(who.AWS, "*")
}

func namesOthers(who *policy.Principals) bool {
	return len(who.AWS) > 1 || len(who.Service)+len(who.Federated)+len(who.CanonicalUser)+len(who.Other) > 0
}

// hasCondition reports whether a statement has a condition on one of the keys,
// whose names have no case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
func hasCondition(statement policy.Statement, keys ...string) bool {
	for _, tests := range statement.Condition {
		for key := range tests {
			for _, wanted := range keys {
				if strings.EqualFold(key, wanted) {
					return true
				}
			}
		}
	}
	return false
}

// listsResource reports whether a statement's Resource is written as a list.
// policy.Document does not keep a list of one and its element apart.
func listsResource(text []byte) bool {
	type statement struct {
		Resource json.RawMessage `json:"Resource"`
	}
	var document struct {
		Statement json.RawMessage `json:"Statement"`
	}
	if json.Unmarshal(text, &document) != nil {
		return false
	}
	var statements []statement
	if json.Unmarshal(document.Statement, &statements) != nil {
		statements = make([]statement, 1)
		if json.Unmarshal(document.Statement, &statements[0]) != nil {
			return false
		}
	}
	for _, s := range statements {
		if bytes.HasPrefix(bytes.TrimSpace(s.Resource), []byte("[")) {
			return true
		}
	}
	return false
}
