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
	case query, restXML:
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
	restXML
	awsJSON
	query
)

func protocolOf(r *http.Request) protocol {
	contentType := r.Header.Get("Content-Type")
	switch {
	case scopedService(r) == "s3":
		return restXML
	case strings.HasPrefix(contentType, "application/x-amz-json-"):
		return awsJSON
	case strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		return query
	default:
		return restJSON
	}
}

// refuseAccess answers that the caller may not do what it asks for.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func refuseAccess(w http.ResponseWriter, r *http.Request, message string) {
	switch protocolOf(r) {
	case query, restXML:
		refuse(w, r, http.StatusForbidden, "AccessDenied", message)
	case awsJSON:
		if scopedService(r) == "sqs" { // once of the query protocol, whose code its clients still show
			w.Header().Set("X-Amzn-Query-Error", "AccessDenied;Sender")
		}
		refuse(w, r, http.StatusBadRequest, "AccessDeniedException", message)
	default:
		refuse(w, r, http.StatusForbidden, "AccessDeniedException", message)
	}
}

// refuse answers an error as the clients of the request's protocol read it.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	switch protocolOf(r) {
	case restXML:
		writeXML(w, status, restError{Code: code, Message: message})
		return
	case query:
		fault := "Sender"
		if status >= http.StatusInternalServerError {
			fault = "Receiver"
		}
		writeXML(w, status, queryError{Type: fault, Code: code, Message: message})
		return
	default:
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

// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses
type restError struct {
	XMLName xml.Name `xml:"Error"`
	Code    string   `xml:"Code"`
	Message string   `xml:"Message"`
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
