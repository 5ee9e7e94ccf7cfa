package cloud

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

// PutObject puts an object into a bucket of S3, which it makes in the account if it is not
// there, and gives the object's S3 URI.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (m *Moto) PutObject(ctx context.Context, account, bucket, key string, content []byte) (string, error) {
	uri := "s3://" + bucket + "/" + key
	for _, put := range []struct {
		path string
		body []byte
	}{{bucket, nil}, {bucket + "/" + key, content}} {
		if err := m.putPath(ctx, account, put.path, put.body); err != nil {
			return "", fmt.Errorf("putting %s: %w", uri, err)
		}
	}
	return uri, nil
}

func (m *Moto) putPath(ctx context.Context, account, path string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, m.endpoint+"/"+path, bytes.NewReader(body))
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was for
	}
	request.Header.Set(accountHeader, account)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was for
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("moto answers %s", answer.Status)
	}
	return nil
}
