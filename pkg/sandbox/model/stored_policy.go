package model

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// storedPolicy is a policy as it was accepted. It is never changed.
type storedPolicy struct {
	text     string
	document *policy.Document
	// pins are the unique ids that the roles and users in it had, by ARN.
	pins map[string]string
}

var (
	accountID   = regexp.MustCompile(`^[0-9]{12}$`)
	uniqueID    = regexp.MustCompile(`^A(ROA|IDA)[A-Z0-9]+$`)
	accountRoot = regexp.MustCompile(`^arn:[^:]+:iam::([0-9]{12}):root$`)
	// Groups cannot be principals, and wildcards match nothing in one. Sessions
	// of roles are not among what AgentCore's page lists.
	// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html
	roleOrUser = regexp.MustCompile(`^arn:[^:]+:iam::[0-9]{12}:(role|user)/[^*?]+$`)
)

// pins looks up every account, role and user that the policy names. One that
// does not exist makes the whole policy invalid, as IAM documents for trust
// policies and as was seen on a Runtime.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (s *Service) pins(document *policy.Document) (map[string]string, error) {
	pins := map[string]string{}
	for _, statement := range document.Statements {
		for _, name := range statement.Principal.AWS {
			if _, done := pins[name]; done || name == "*" {
				continue
			}
			id, err := s.principalID(name)
			if err != nil {
				return nil, err
			}
			if id == "" {
				return nil, invalid(invalidPrincipal)
			}
			pins[name] = id
		}
	}
	return pins, nil
}

// principalID is what identifies a principal for good, "" if there is none.
func (s *Service) principalID(name string) (string, error) {
	switch {
	case accountID.MatchString(name):
		return s.lookUp(s.rootARN(name))
	case accountRoot.MatchString(name), roleOrUser.MatchString(name):
		return s.lookUp(name)
	case uniqueID.MatchString(name) && s.opts.Quirks.Has(StaleIDsAccepted):
		return name, nil
	default:
		return "", nil
	}
}

func (s *Service) lookUp(arn string) (string, error) {
	id, err := s.opts.Principals.UniqueID(arn)
	if err != nil {
		return "", unreachable(err)
	}
	return id, nil
}

func (s *Service) rootARN(account string) string {
	return "arn:" + s.opts.Partition + ":iam::" + account + ":root"
}

// current is the policy with each role and user that is gone, or that another
// one has taken the name of, replaced by its unique id.
func (s *Service) current(p *storedPolicy) (*policy.Document, error) {
	if s.opts.Quirks.Has(PrincipalsNotPinned) {
		return p.document, nil
	}
	stale := map[string]string{}
	for name, pinned := range p.pins {
		if !roleOrUser.MatchString(name) {
			continue
		}
		id, err := s.lookUp(name)
		if err != nil {
			return nil, err
		}
		if id != pinned {
			stale[name] = pinned
		}
	}
	if len(stale) == 0 {
		return p.document, nil
	}
	return renamed(p.document, stale), nil
}

// renamed is the document with AWS principals replaced.
func renamed(document *policy.Document, names map[string]string) *policy.Document {
	statements := slices.Clone(document.Statements)
	for i, statement := range statements {
		who := *statement.Principal
		who.AWS = slices.Clone(who.AWS)
		for j, name := range who.AWS {
			if to, ok := names[name]; ok {
				who.AWS[j] = to
			}
		}
		statements[i].Principal = &who
	}
	return document.WithStatements(statements...)
}

// shown is the policy as GetResourcePolicy answers it: the bytes that were put,
// unless something in them must be shown otherwise.
func (s *Service) shown(p *storedPolicy) (string, error) {
	text, err := s.written(p)
	if err != nil || !s.opts.Quirks.Has(WhitespaceChanged) {
		return text, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(text), "", "  "); err != nil {
		return "", unreachable(err)
	}
	return out.String(), nil
}

// written is the policy as it is shown, whitespace aside.
func (s *Service) written(p *storedPolicy) (string, error) {
	document, err := s.current(p)
	if err != nil {
		return "", err
	}
	quirks := s.opts.Quirks
	if quirks.Has(AccountsAsARNs) {
		document = renamed(document, s.accountNames(document, s.asARN))
	}
	if quirks.Has(AccountsAsIDs) {
		document = renamed(document, s.accountNames(document, asID))
	}
	if quirks.Has(StatementsReordered) {
		statements := slices.Clone(document.Statements)
		slices.Reverse(statements)
		document = document.WithStatements(statements...)
	}
	text := p.text
	if document != p.document {
		text = document.String()
	}
	switch {
	case quirks.Has(ScalarsAsLists):
		return rewritten(text, listOfOne)
	case quirks.Has(ListsAsScalars):
		return rewritten(text, onlyElement)
	}
	return text, nil
}

// expanded is the policy with account ids as root ARNs, minified, for measuring.
func (s *Service) expanded(document *policy.Document) string {
	return renamed(document, s.accountNames(document, s.asARN)).String()
}

// accountNames maps the accounts that a document names to another form.
func (s *Service) accountNames(document *policy.Document, form func(string) string) map[string]string {
	names := map[string]string{}
	for _, statement := range document.Statements {
		for _, name := range statement.Principal.AWS {
			if to := form(name); to != "" {
				names[name] = to
			}
		}
	}
	return names
}

func (s *Service) asARN(name string) string {
	if accountID.MatchString(name) {
		return s.rootARN(name)
	}
	return ""
}

func asID(name string) string {
	if m := accountRoot.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// rewritten applies form to every value of the policy that may be single or a
// list.
func rewritten(text string, form func(any) any) (string, error) {
	var document map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return "", unreachable(err)
	}
	statements, isList := document["Statement"].([]any)
	if !isList {
		statements = []any{document["Statement"]}
	}
	for _, statement := range statements {
		members, ok := statement.(map[string]any)
		if !ok {
			continue
		}
		for _, name := range []string{"Action", "Resource"} {
			reform(members, name, form)
		}
		reformAll(members["Principal"], form)
		if condition, ok := members["Condition"].(map[string]any); ok {
			for _, tests := range condition {
				reformAll(tests, form)
			}
		}
	}
	document["Statement"] = form(statements)
	return compact(document)
}

func reformAll(value any, form func(any) any) {
	if members, ok := value.(map[string]any); ok {
		for name := range members {
			reform(members, name, form)
		}
	}
}

func reform(members map[string]any, name string, form func(any) any) {
	if value, ok := members[name]; ok {
		members[name] = form(value)
	}
}

func listOfOne(value any) any {
	if _, ok := value.([]any); ok {
		return value
	}
	return []any{value}
}

func onlyElement(value any) any {
	if list, ok := value.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return value
}

func compact(value any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", unreachable(err)
	}
	return strings.TrimSpace(out.String()), nil
}
