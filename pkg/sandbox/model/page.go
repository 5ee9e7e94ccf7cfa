package model

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Page asks for a part of a list.
type Page struct {
	// MaxResults is 1 to 1000. Nil leaves it to the service, which takes 100;
	// AWS documents no default.
	MaxResults *int
	// Token is what the page before gave; "" asks for the first.
	Token string
}

const defaultPage = 100

// paged sorts what is listed by its order of creation and cuts the page out,
// with the token of the next one, "" after the last. A token names the place of
// the last item, so that what comes and goes between two pages neither repeats
// nor hides another.
func paged[T, Summary any](page Page, all []T, order func(T) uint64, summary func(T) Summary) ([]Summary, string, error) {
	size := defaultPage
	if page.MaxResults != nil {
		size = *page.MaxResults
	}
	var v violations
	v.between("maxResults", size, 1, 1000)
	after, ok := readToken(page.Token)
	if !ok {
		v.add("nextToken", page.Token, "Member must be a token of an earlier page")
	}
	if err := v.err(); err != nil {
		return nil, "", err
	}
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(order(a), order(b)) })
	all = slices.DeleteFunc(all, func(item T) bool { return order(item) <= after })
	items, next := all, ""
	if len(all) > size {
		items = all[:size]
		next = writeToken(order(items[size-1]))
	}
	summaries := make([]Summary, len(items))
	for i, item := range items {
		summaries[i] = summary(item)
	}
	return summaries, next, nil
}

const tokenPrefix = "after:"

func writeToken(order uint64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Append(nil, tokenPrefix, order))
}

func readToken(token string) (uint64, bool) {
	if token == "" {
		return 0, true
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	number, ok := strings.CutPrefix(string(text), tokenPrefix)
	if !ok {
		return 0, false
	}
	order, err := strconv.ParseUint(number, 10, 64)
	return order, err == nil
}
