package cloud

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// putResult is what came of an entry.
type putResult struct {
	EventID      string `json:"EventId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// putEvents is PutEvents with entries for buses of other accounts, which moto would
// look for in the sender's own. It has been authorized.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (u *Upstream) putEvents(w http.ResponseWriter, r *http.Request, identity sigv4.Identity) {
	// By exact names, as it was authorized: Go's structs would take others, too.
	var request map[string]any
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, r, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	answer := struct {
		FailedEntryCount int
		Entries          []putResult
	}{Entries: []putResult{}}
	entries, _ := request["Entries"].([]any)
	for _, element := range entries {
		entry, _ := element.(map[string]any)
		result := u.putEvent(r, identity, entry)
		if result.ErrorCode != "" {
			answer.FailedEntryCount++
		}
		answer.Entries = append(answer.Entries, result)
	}
	body, _ := json.Marshal(answer) // texts and a number always marshal
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = w.Write(body) // a caller who left needs no answer
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
func (u *Upstream) putEvent(r *http.Request, identity sigv4.Identity, entry map[string]any) putResult {
	text := func(name string) string { value, _ := entry[name].(string); return value }
	if text("Source") == "" || text("DetailType") == "" || !json.Valid([]byte(text("Detail"))) {
		return putResult{ErrorCode: "InvalidArgument", ErrorMessage: "An entry needs a Source, a DetailType and a Detail in JSON."}
	}
	bus := cmp.Or(text("EventBusName"), "default")
	if !strings.HasPrefix(bus, "arn:") {
		bus = "arn:aws:events:" + identity.Scope.Region + ":" + identity.Caller.Account + ":event-bus/" + bus
	}
	at := u.verifier.Now()
	if seconds, ok := entry["Time"].(float64); ok {
		at = time.Unix(int64(seconds), 0)
	}
	resources, _ := entry["Resources"].([]any)
	id := newUUID()
	event, _ := json.Marshal(map[string]any{
		"version": "0", "id": id, "detail-type": text("DetailType"), "source": text("Source"),
		"account": identity.Caller.Account, "time": at.UTC().Format(time.RFC3339), "region": identity.Scope.Region,
		"resources": append([]any{}, resources...), "detail": json.RawMessage(text("Detail")),
	}) // its only JSON is valid
	err := u.identities.moto.put(r.Context(), bus, event)
	if errors.Is(err, ErrNotForwarded) {
		return putResult{ErrorCode: "ResourceNotFoundException", ErrorMessage: "Event bus " + bus + " does not exist."}
	}
	if err != nil {
		return putResult{ErrorCode: "InternalFailure", ErrorMessage: err.Error()}
	}
	return putResult{EventID: id}
}
