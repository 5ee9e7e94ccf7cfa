package control

import (
	"context"
	"errors"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// UniqueIDs finds what identifies a principal for good, or answers
// iam.ErrNotFound; *iam.Directory does.
type UniqueIDs interface {
	UniqueID(ctx context.Context, arn string) (string, error)
}

// Principals lets the model ask an IAM directory who exists.
type Principals struct{ Directory UniqueIDs }

// UniqueID is "" for an ARN that nobody has.
func (p Principals) UniqueID(arn string) (string, error) {
	id, err := p.Directory.UniqueID(context.Background(), arn)
	if errors.Is(err, iam.ErrNotFound) {
		return "", nil
	}
	return id, err
}
