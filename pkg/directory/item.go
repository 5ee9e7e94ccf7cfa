package directory

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Attributes are an item of the accounts table as plain values: text, lists of
// text (as []string or []any) and maps of text (as map[string]string or
// map[string]any).
type Attributes map[string]any

// The attributes of an account's item, besides its key.
const (
	AttrName         = "name"
	AttrState        = "state"
	AttrOrganization = "organization"
	AttrPath         = "path"
	AttrTags         = "tags"
	AttrReadAt       = "readAt"
	AttrMissingSince = "missingSince"
	AttrHeldSince    = "heldSince"
	AttrKept         = "kept"      // a list of maps of state, organization, path, tags and lostSince
	AttrLostSince    = "lostSince" // in each of kept
)

var accountID = regexp.MustCompile(`^\d{12}$`)

// Item is the account as its item holds it, besides the key. Times are RFC 3339 in UTC; what is
// empty is left out.
func (a Account) Item() Attributes {
	item := a.View().item()
	item[AttrReadAt] = writeMoment(a.ReadAt)
	if a.Name != "" {
		item[AttrName] = a.Name
	}
	if !a.MissingSince.IsZero() {
		item[AttrMissingSince] = writeMoment(a.MissingSince)
	}
	if !a.HeldSince.IsZero() {
		item[AttrHeldSince] = writeMoment(a.HeldSince)
	}
	if len(a.Kept) > 0 {
		kept := make([]any, len(a.Kept))
		for i, k := range a.Kept {
			view := k.item()
			view[AttrLostSince] = writeMoment(k.LostSince)
			kept[i] = map[string]any(view)
		}
		item[AttrKept] = kept
	}
	return item
}

func (v View) item() Attributes {
	item := Attributes{AttrState: string(v.State), AttrOrganization: v.Organization}
	if len(v.Path) > 0 {
		item[AttrPath] = slices.Clone(v.Path)
	}
	if len(v.Tags) > 0 {
		item[AttrTags] = maps.Clone(v.Tags)
	}
	return item
}

func writeMoment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ParseItem reads the item of the account with the given id. Attributes that it
// does not know are left alone, so that items may carry keys and what later
// versions add.
func ParseItem(id string, item Attributes) (Account, error) {
	if !accountID.MatchString(id) {
		return Account{}, fmt.Errorf("read account item: %.40q is no 12-digit account id", id)
	}
	r := itemReader{item: item}
	view := r.view()
	name, _ := item[AttrName].(string) // it decides nothing, so that a bad one is no fault
	a := Account{
		ID:           id,
		Name:         DisplayName(name),
		State:        view.State,
		Organization: view.Organization,
		Path:         view.Path,
		Tags:         view.Tags,
		ReadAt:       r.moment(AttrReadAt),
		MissingSince: r.moment(AttrMissingSince),
		HeldSince:    r.moment(AttrHeldSince),
		Kept:         r.kept(),
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

func (r *itemReader) view() View {
	return View{
		State:        State(r.text(AttrState)),
		Organization: r.text(AttrOrganization),
		Path:         r.list(AttrPath),
		Tags:         r.texts(AttrTags),
	}
}

func (r *itemReader) kept() []Kept {
	value, ok := r.item[AttrKept]
	if !ok {
		return nil
	}
	views, ok := value.([]any)
	if !ok {
		r.fail(AttrKept, "is no list")
	}
	var kept []Kept
	for _, view := range views {
		attributes, ok := view.(map[string]any)
		if !ok {
			r.fail(AttrKept, "is no list of maps")
			return nil
		}
		of := itemReader{item: attributes}
		kept = append(kept, Kept{View: of.view(), LostSince: of.moment(AttrLostSince)})
		r.faults = append(r.faults, of.faults...)
	}
	return kept
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
