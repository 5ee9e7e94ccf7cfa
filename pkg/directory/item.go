package directory

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"time"
)

// Attributes are an item of the accounts table as plain values: text, lists of
// text (as []string or []any) and maps of text (as map[string]string or
// map[string]any).
type Attributes map[string]any

// The attributes of an account's item, besides its key.
const (
	AttrState        = "state"
	AttrOrganization = "organization"
	AttrPath         = "path"
	AttrTags         = "tags"
	AttrReadAt       = "readAt"
	AttrMissingSince = "missingSince"
)

var accountID = regexp.MustCompile(`^\d{12}$`)

// Item is the account as its item holds it, besides the key. Times are RFC 3339 in UTC; what is
// empty is left out.
func (a Account) Item() Attributes {
	item := Attributes{
		AttrState:        string(a.State),
		AttrOrganization: a.Organization,
		AttrReadAt:       a.ReadAt.UTC().Format(time.RFC3339Nano),
	}
	if len(a.Path) > 0 {
		item[AttrPath] = append([]string(nil), a.Path...)
	}
	if len(a.Tags) > 0 {
		item[AttrTags] = maps.Clone(a.Tags)
	}
	if !a.MissingSince.IsZero() {
		item[AttrMissingSince] = a.MissingSince.UTC().Format(time.RFC3339Nano)
	}
	return item
}

// ParseItem reads the item of the account with the given id. Attributes that it
// does not know are left alone, so that items may carry keys and what later
// versions add.
func ParseItem(id string, item Attributes) (Account, error) {
	if !accountID.MatchString(id) {
		return Account{}, fmt.Errorf("read account item: %.40q is no 12-digit account id", id)
	}
	r := itemReader{item: item}
	a := Account{
		ID:           id,
		State:        State(r.text(AttrState)),
		Organization: r.text(AttrOrganization),
		Path:         r.list(AttrPath),
		Tags:         r.texts(AttrTags),
		ReadAt:       r.moment(AttrReadAt),
		MissingSince: r.moment(AttrMissingSince),
	}
	if err := errors.Join(r.faults...); err != nil {
		return Account{}, fmt.Errorf("read item of account %s: %w", id, err)
	}
	return a, nil
}

type itemReader struct {
	item   Attributes
	faults []error
}

func (r *itemReader) fail(name, what string) {
	r.faults = append(r.faults, fmt.Errorf("attribute %s %s", name, what))
}

func (r *itemReader) text(name string) string {
	value, ok := r.item[name]
	if !ok {
		return ""
	}
	text, ok := value.(string)
	if !ok {
		r.fail(name, "is no string")
	}
	return text
}

func (r *itemReader) moment(name string) time.Time {
	text := r.text(name)
	if text == "" {
		return time.Time{}
	}
	moment, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		r.fail(name, "is no RFC 3339 time")
		return time.Time{}
	}
	return moment.UTC()
}

func (r *itemReader) list(name string) []string {
	switch values := r.item[name].(type) {
	case nil:
		return nil
	case []string:
		return append([]string(nil), values...)
	case []any:
		list := make([]string, 0, len(values))
		for _, value := range values {
			text, ok := value.(string)
			if !ok {
				r.fail(name, "is no list of strings")
				return nil
			}
			list = append(list, text)
		}
		return list
	default:
		r.fail(name, "is no list of strings")
		return nil
	}
}

func (r *itemReader) texts(name string) map[string]string {
	switch values := r.item[name].(type) {
	case nil:
		return nil
	case map[string]string:
		return maps.Clone(values)
	case map[string]any:
		texts := make(map[string]string, len(values))
		for key, value := range values {
			text, ok := value.(string)
			if !ok {
				r.fail(name, "is no map of strings")
				return nil
			}
			texts[key] = text
		}
		return texts
	default:
		r.fail(name, "is no map of strings")
		return nil
	}
}
