package control

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// failure is an error as an AWS service answers it.
type failure struct {
	status  int
	code    string
	message string
	// reason and fields are of a ValidationException only.
	reason model.Reason
	fields []model.Field
}

func (f *failure) Error() string { return f.code + ": " + f.message }

// statuses are those of the service model's error shapes.
var statuses = map[model.Code]int{
	model.Validation:           http.StatusBadRequest,
	model.AccessDenied:         http.StatusForbidden,
	model.ResourceNotFound:     http.StatusNotFound,
	model.Conflict:             http.StatusConflict,
	model.ServiceQuotaExceeded: http.StatusPaymentRequired,
	model.Throttling:           http.StatusTooManyRequests,
	model.InternalServer:       http.StatusInternalServerError,
}

func asFailure(err error) *failure {
	var (
		own      *failure
		refused  *model.Error
		unsigned *sigv4.Error
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &refused):
		return &failure{statuses[refused.Code], string(refused.Code), refused.Message, refused.Reason, refused.Fields}
	case errors.As(err, &unsigned):
		return &failure{status: unsigned.Status(), code: unsigned.JSONCode(), message: unsigned.Message}
	default:
		return &failure{status: http.StatusInternalServerError, code: string(model.InternalServer), message: err.Error()}
	}
}

// unreadable is the answer to what cannot be decoded.
func unreadable(err error) *failure {
	return &failure{status: http.StatusBadRequest, code: "SerializationException", message: "The request cannot be read: " + err.Error()}
}

const requestIDHeader = "X-Amzn-Requestid"

// writeError answers an error where restJson1 clients look for it: the code in
// a header, the members in the body.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
func writeError(w http.ResponseWriter, id string, f *failure) {
	text, err := json.Marshal(struct {
		Message string        `json:"message"`
		Reason  model.Reason  `json:"reason,omitempty"`
		Fields  []model.Field `json:"fieldList,omitempty"`
	}{f.message, f.reason, f.fields})
	if err != nil {
		text = []byte(`{}`)
	}
	w.Header().Set("X-Amzn-Errortype", f.code)
	write(w, id, f.status, "application/json", text)
}

func write(w http.ResponseWriter, id string, status int, contentType string, text []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set(requestIDHeader, id)
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that is gone needs no answer
}

// newRequestID is a random UUID.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: https://pkg.go.dev/crypto/rand#Read
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
