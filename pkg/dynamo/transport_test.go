package dynamo_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// inAccount says to moto in which account it is called.
type inAccount struct {
	account string
	next    http.RoundTripper
}

func (a inAccount) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("X-Moto-Account-Id", a.account)
	return a.next.RoundTrip(request)
}

// operation is the call that a request makes, such as Query.
func operation(request *http.Request) string {
	_, name, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	return name
}

// miserly is a DynamoDB that returns three items a page, and leaves out a part of
// each longer batch, as DynamoDB may at any time.
type miserly struct{}

func (miserly) RoundTrip(request *http.Request) (*http.Response, error) {
	switch operation(request) {
	case "Query", "Scan":
		return roundTrip(request, func(body map[string]any) { body["Limit"] = 3 }, nil)
	case "BatchGetItem":
		return partly(request, "UnprocessedKeys", func(table any) (part, rest any) {
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
		return nil, err
	}
	change(body)
	return json.Marshal(body)
}
