package store_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// transport is a way to the server on which something happens.
type transport func(request *http.Request) (*http.Response, error)

func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }

// inAccount says to moto in which account it is called.
func inAccount(account string, next http.RoundTripper) transport {
	return func(request *http.Request) (*http.Response, error) {
		request = request.Clone(request.Context())
		request.Header.Set("X-Moto-Account-Id", account)
		return next.RoundTrip(request)
	}
}

// operation is the call that a request makes, such as Query.
func operation(request *http.Request) string {
	_, name, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	return name
}

// counted lets something happen before the n-th call of an operation, from 1.
func counted(name string, happen func(n int)) transport {
	calls := 0
	return before(name, func(*http.Request) *http.Response {
		calls++
		happen(calls)
		return nil
	})
}

// before lets something happen before each call of an operation: an answer in its
// place, unless it is nil.
func before(name string, happen func(request *http.Request) *http.Response) transport {
	return func(request *http.Request) (*http.Response, error) {
		if operation(request) == name {
			if answer := happen(request); answer != nil {
				return answer, nil
			}
		}
		return http.DefaultTransport.RoundTrip(request)
	}
}

// breaking refuses the n-th call of an operation, from 1, and all later ones, as
// long as it is broken.
func breaking(name string, n int, broken *bool) transport {
	calls := 0
	return before(name, func(*http.Request) *http.Response {
		calls++
		if calls < n || !*broken {
			return nil
		}
		return refusal(http.StatusBadRequest, "AccessDeniedException")
	})
}

// bounded takes no transaction of more than 4 MB, as DynamoDB does and moto does not.
func bounded() transport {
	return before("TransactWriteItems", func(request *http.Request) *http.Response {
		if request.ContentLength <= 4<<20 {
			return nil
		}
		return refusal(http.StatusBadRequest, "ValidationException")
	})
}

// answer is how DynamoDB says yes.
func answer(body map[string]any) *http.Response { return respond(http.StatusOK, body) }

// refusal is how DynamoDB says no.
func refusal(status int, name string, more ...any) *http.Response {
	body := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + name, "message": "as the test wants it"}
	for i := 0; i < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return respond(status, body)
}

func respond(status int, body map[string]any) *http.Response {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:   io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)),
	}
}

// miserly is a DynamoDB that returns three items a page, and leaves out a part of
// each longer batch, as DynamoDB may at any time. It also fails the test at the
// first read of a table that is not consistent.
func miserly(t *testing.T) transport {
	return func(request *http.Request) (*http.Response, error) {
		switch operation(request) {
		case "Query", "Scan":
			return roundTrip(request, func(body map[string]any) {
				body["Limit"] = 3
				if _, index := body["IndexName"]; !index {
					mustBeConsistent(t, request, body)
				}
			}, nil)
		case "GetItem":
			return roundTrip(request, func(body map[string]any) { mustBeConsistent(t, request, body) }, nil)
		case "BatchGetItem":
			return partly(request, "UnprocessedKeys", func(table any) (part, rest any) {
				mustBeConsistent(t, request, table.(map[string]any))
				keys := table.(map[string]any)["Keys"].([]any)
				some := enough(len(keys))
				part = map[string]any{"Keys": keys[:some], "ConsistentRead": true}
				if some < len(keys) {
					rest = map[string]any{"Keys": keys[some:], "ConsistentRead": true}
				}
				return part, rest
			})
		case "BatchWriteItem":
			return partly(request, "UnprocessedItems", func(table any) (part, rest any) {
				writes := table.([]any)
				some := enough(len(writes))
				if some < len(writes) {
					rest = writes[some:]
				}
				return writes[:some], rest
			})
		default:
			return http.DefaultTransport.RoundTrip(request)
		}
	}
}

func mustBeConsistent(t *testing.T, request *http.Request, read map[string]any) {
	if read["ConsistentRead"] != true {
		t.Errorf("a %s was not consistent: %v", operation(request), read)
	}
}

// enough is how much of a batch of n is done.
func enough(n int) int {
	if n > 5 {
		return n - 5
	}
	return n
}

// partly makes a call with a part of what is asked of each table, and answers
// that the rest was left out.
func partly(request *http.Request, leftOut string, divide func(table any) (part, rest any)) (*http.Response, error) {
	left := make(map[string]any)
	return roundTrip(request, func(body map[string]any) {
		asked := body["RequestItems"].(map[string]any)
		for name, table := range asked {
			part, rest := divide(table)
			asked[name] = part
			if rest != nil {
				left[name] = rest
			}
		}
	}, func(body map[string]any) { body[leftOut] = left })
}

// roundTrip makes a call whose request and response are changed on the way.
func roundTrip(request *http.Request, change, changeBack func(body map[string]any)) (*http.Response, error) {
	request = request.Clone(request.Context())
	body, err := changed(request.Body, change)
	if err != nil {
		return nil, err
	}
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK || changeBack == nil {
		return response, err
	}
	if body, err = changed(response.Body, changeBack); err != nil {
		return nil, err
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	response.Header.Del("X-Amz-Crc32") // of the body as it was
	return response, nil
}

func changed(from io.ReadCloser, change func(body map[string]any)) ([]byte, error) {
	defer from.Close()
	var body map[string]any
	if err := json.NewDecoder(from).Decode(&body); err != nil {
		return nil, fmt.Errorf("read a body: %w", err)
	}
	change(body)
	return json.Marshal(body)
}
