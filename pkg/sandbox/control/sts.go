package control

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// maxSTSBody holds an AssumeRole with a session policy, the largest that STS
// takes.
const maxSTSBody = 1 << 20

// Identity answers sts:GetCallerIdentity, in the query protocol. Any other
// action goes to next, unread.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func Identity(verifier Verifier, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action, err := queryAction(r)
		if err != nil {
			writeXMLError(w, newRequestID(), &failure{status: http.StatusBadRequest, code: "MalformedInput", message: err.Error()})
			return
		}
		if action != "GetCallerIdentity" {
			next.ServeHTTP(w, r)
			return
		}
		callerIdentity(w, r, verifier)
	})
}

type callerIdentityAnswer struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	ARN       string   `xml:"GetCallerIdentityResult>Arn"`
	UserID    string   `xml:"GetCallerIdentityResult>UserId"`
	Account   string   `xml:"GetCallerIdentityResult>Account"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

// callerIdentity needs a valid signature and no permission: even an explicit
// deny does not keep anybody from asking who they are. Any region will do, the
// global endpoint's too.
func callerIdentity(w http.ResponseWriter, r *http.Request, verifier Verifier) {
	id := newRequestID()
	identity, err := verifier.Verify(r, sigv4.Expect{Service: "sts", MaxBody: maxSTSBody})
	if err != nil {
		writeXMLError(w, id, asQueryFailure(err))
		return
	}
	writeXML(w, id, http.StatusOK, callerIdentityAnswer{
		ARN: identity.Caller.ARN, UserID: identity.Caller.UserID, Account: identity.Caller.Account, RequestID: id,
	})
}

// queryAction is the Action of a request in the query protocol, in its form or
// its URL. The body is put back.
func queryAction(r *http.Request) (string, error) {
	if action := r.URL.Query().Get("Action"); action != "" || r.Body == nil {
		return action, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxSTSBody+1))
	if err != nil {
		return "", fmt.Errorf("reading the request's body: %w", err)
	}
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), rest), rest}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return "", fmt.Errorf("the body is no form: %w", err)
	}
	return form.Get("Action"), nil
}

func asQueryFailure(err error) *failure {
	if unsigned := (*sigv4.Error)(nil); errors.As(err, &unsigned) {
		return &failure{status: unsigned.Status(), code: unsigned.QueryCode(), message: unsigned.Message}
	}
	return &failure{status: http.StatusInternalServerError, code: "InternalFailure", message: err.Error()}
}

// writeXMLError answers an error as query protocol clients read it.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#operation-error-serialization
func writeXMLError(w http.ResponseWriter, id string, f *failure) {
	fault := "Sender"
	if f.status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	type errorBody struct {
		Type, Code, Message string
	}
	writeXML(w, id, f.status, struct {
		XMLName   xml.Name  `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error     errorBody `xml:"Error"`
		RequestID string    `xml:"RequestId"`
	}{Error: errorBody{fault, f.code, f.message}, RequestID: id})
}

func writeXML(w http.ResponseWriter, id string, status int, answer any) {
	text, err := xml.Marshal(answer)
	if err != nil {
		status, text = http.StatusInternalServerError, nil
	}
	write(w, id, status, "text/xml", text)
}
