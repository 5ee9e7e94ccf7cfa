package grant

import (
	"strings"
	"unicode/utf8"
)

// What a tag of AWS Organizations may hold, lengths in characters:
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Tag.html
const (
	longestTagKey   = 128
	longestTagValue = 256
)

var tagPart = lazy(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// The first = of a selector ends the tag's key. No key holds a percent sign, so
// that an escaped = of the key itself cannot be mistaken for one.
const escapedSign = "%3D"

const tagHint = "an account tag is written tag:Key=Value; the first = ends the key, and an = of the key itself is written " + escapedSign

// TagName is a tag in one word, Key=Value, in which an = of the key is written
// %3D: two tags have the same name exactly if they are the same.
func TagName(key, value string) string {
	return strings.ReplaceAll(key, "=", escapedSign) + "=" + value
}

// TagKey is the key of the tag that the principal names, or "" of any other.
func (p Principal) TagKey() string {
	if p.kind != KindTag {
		return ""
	}
	key, _, _ := strings.Cut(p.name, "=")
	return strings.ReplaceAll(key, escapedSign, "=")
}

func parseTag(text string) (Principal, error) {
	key, value, found := strings.Cut(strings.TrimPrefix(text, "tag:"), "=")
	key = strings.ReplaceAll(key, escapedSign, "=")
	if !found || key == "" || !tagPart().MatchString(key) || !tagPart().MatchString(value) {
		return Principal{}, badPrincipal(text, tagHint)
	}
	if utf8.RuneCountInString(key) > longestTagKey || utf8.RuneCountInString(value) > longestTagValue {
		return Principal{}, badPrincipal(text, "a tag's key has at most 128 characters and its value at most 256")
	}
	return Principal{kind: KindTag, name: TagName(key, value)}, nil
}
