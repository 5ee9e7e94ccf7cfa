package delivery

import (
	"encoding/json"
	"fmt"
	"slices"
)

// failedItems reads a function's answer to a batch as Lambda does: no failures, null
// or nothing at all is success; an answer that cannot be read, or that names an item
// that is not of the batch, is an error and fails all of it.
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func failedItems(answer []byte, batch []string) (failed []string, err error) {
	var response struct {
		Failures []struct {
			Item string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &response); err != nil {
			return nil, fmt.Errorf("the function's answer is not a batch response: %w", err)
		}
	}
	for _, failure := range response.Failures {
		if !slices.Contains(batch, failure.Item) {
			return nil, fmt.Errorf("the function reports item %q as failed, which is not in the batch", failure.Item)
		}
		failed = append(failed, failure.Item)
	}
	return failed, nil
}
