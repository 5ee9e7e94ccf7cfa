package model

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"strings"
)

// clientToken identifies a create request that must take effect only once.
type clientToken struct{ account, operation, token string }

// tokenUse is what a client token was used for.
type tokenUse struct {
	request [sha256.Size]byte
	created string // id of what was created
}

// earlier is the id of what the same request with the same token has created
// and what still exists, "" if there is none.
//
// "If this token matches a previous request, the service ignores the request,
// but doesn't return an error."
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGateway.html
// How long a token is remembered is not documented; here, as long as what it
// created.
func (s *Service) earlier(token clientToken, request any) (string, error) {
	use, used := s.tokens[token]
	if token.token == "" || !used || !s.exists(use.created) {
		return "", nil
	}
	if use.request != fingerprint(request) && !s.opts.Quirks.Has(ClientTokenMismatchIgnored) {
		return "", &Error{
			Code: Validation, Reason: IdempotentParameterMismatch,
			Message: "The client token was used before with different parameters",
		}
	}
	return use.created, nil
}

func (s *Service) remember(token clientToken, request any, created string) {
	if token.token != "" {
		s.tokens[token] = tokenUse{fingerprint(request), created}
	}
}

// exists reports whether there is a gateway, or a target "gateway/target".
func (s *Service) exists(id string) bool {
	gatewayID, targetID, isTarget := strings.Cut(id, "/")
	g, ok := s.gateways[gatewayID]
	if !ok || !isTarget {
		return ok
	}
	_, ok = g.targets[targetID]
	return ok
}

func fingerprint(request any) [sha256.Size]byte {
	text, err := json.Marshal(request)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(text)
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// newGatewayID is the name in lower case, a hyphen and ten random characters,
// to the pattern of the service model: ([0-9a-z][-]?){1,100}-[0-9a-z]{10}.
func (s *Service) newGatewayID(name string) string {
	for {
		id := strings.ToLower(name) + "-" + s.random(lower+digits)
		if _, taken := s.gateways[id]; !taken {
			return id
		}
	}
}

// newTargetID is ten random characters, to the pattern of the service model.
func (s *Service) newTargetID(g *gateway) string {
	for {
		id := s.random(upper + digits)
		if _, taken := g.targets[id]; !taken {
			return id
		}
	}
}

func (s *Service) random(alphabet string) string {
	text := make([]byte, 10)
	for i := range text {
		text[i] = alphabet[s.opts.Rand.IntN(len(alphabet))]
	}
	return string(text)
}

func cloned(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return maps.Clone(tags)
}
