package model

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The patterns of the service model, anchored as Smithy patterns are when a
// service enforces them.
var (
	gatewayIDPattern   = anchored(`([0-9a-z][-]?){1,100}-[0-9a-z]{10}`)
	targetIDPattern    = anchored(`[0-9a-zA-Z]{10}`)
	gatewayNamePattern = anchored(`([0-9a-zA-Z][-]?){1,48}`)
	targetNamePattern  = anchored(`([0-9a-zA-Z][-]?){1,100}`)
	domainPattern      = anchored(`(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(?:\.(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?))+`)
	clientTokenPattern = anchored(`[a-zA-Z0-9](-*[a-zA-Z0-9]){0,256}`)
	rolePattern        = anchored(`arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+`)
	kmsKeyPattern      = anchored(`arn:aws(|-cn|-us-gov):kms:[a-zA-Z0-9-]*:[0-9]{12}:key/[a-zA-Z0-9-]{36}`)
	lambdaPattern      = anchored(`arn:(aws[a-zA-Z-]*)?:lambda:([a-z]{2}(-gov)?-[a-z]+-\d{1}):(\d{12}):function:([a-zA-Z0-9-_.]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`)
	discoveryPattern   = anchored(`[^\s?#]+/\.well-known/(openid-configuration|oauth-authorization-server)(/[^\s?#]+)?`)
	tagPattern         = anchored(`[a-zA-Z0-9\s._:/=+@-]*`)
	taggablePattern    = anchored(`arn:(?:[^:]+)?:bedrock-agentcore:[a-z0-9-]+:[0-9]{12}:([a-z-]+/[^/]+)(?:/[a-z-]+/[^/]+)*`)
)

func anchored(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) }

func source(re *regexp.Regexp) string {
	return strings.TrimSuffix(strings.TrimPrefix(re.String(), "^(?:"), ")$")
}

func (v *violations) required(name, value string) bool {
	if value == "" {
		v.add(name, "null", "Member must not be null")
	}
	return value != ""
}

func (v *violations) pattern(name, value string, re *regexp.Regexp) {
	if !re.MatchString(value) {
		v.add(name, value, "Member must satisfy regular expression pattern: "+source(re))
	}
}

// length bounds a string in characters, as Smithy counts them.
func (v *violations) length(name, value string, least, most int) {
	switch n := utf8.RuneCountInString(value); {
	case n < least:
		v.add(name, value, fmt.Sprintf("Member must have length greater than or equal to %d", least))
	case n > most:
		v.add(name, value, fmt.Sprintf("Member must have length less than or equal to %d", most))
	}
}

func (v *violations) oneOf(name, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.add(name, value, "Member must satisfy enum value set: ["+strings.Join(allowed, ", ")+"]")
	}
}

func (v *violations) between(name string, value, least, most int) {
	switch {
	case value < least:
		v.add(name, strconv.Itoa(value), fmt.Sprintf("Member must have value greater than or equal to %d", least))
	case value > most:
		v.add(name, strconv.Itoa(value), fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
}
