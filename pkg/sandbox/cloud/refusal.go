package cloud

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// refuseSignature answers a request whose signature is no good, in the protocol
// of the service that it is for.
func refuseSignature(w http.ResponseWriter, r *http.Request, refused *sigv4.Error) {
	switch protocolOf(r) {
	case query:
		refuse(w, r, refused.Status(), refused.QueryCode(), refused.Message)
	case awsJSON:
		refuse(w, r, http.StatusBadRequest, refused.JSONCode(), refused.Message)
	default:
		refuse(w, r, refused.Status(), refused.JSONCode(), refused.Message)
	}
}

// protocol is how a service's requests and answers are written down.
// https://smithy.io/2.0/aws/protocols/index.html
type protocol int

const (
	restJSON protocol = iota
	awsJSON
	query
)

func protocolOf(r *http.Request) protocol {
	contentType := r.Header.Get("Content-Type")
	switch {
	case strings.HasPrefix(contentType, "application/x-amz-json-"):
		return awsJSON
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		return query
	default:
		return restJSON
	}
}

// refuse answers an error as the clients of the request's protocol read it.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if protocolOf(r) == query {
		fault := "Sender"
		if status >= http.StatusInternalServerError {
			fault = "Receiver"
		}
		writeXML(w, status, queryError{Type: fault, Code: code, Message: message})
		return
	}
	body, _ := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{code, message}) // two strings always marshal
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", code)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller who left needs no answer
}

type queryError struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Type    string   `xml:"Error>Type"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
}

func writeXML(w http.ResponseWriter, status int, answer any) {
	body, err := xml.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller who left needs no answer
}
