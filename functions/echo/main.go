// Echo is the tool behind a gateway's Lambda target: it returns the message
// that it is given. It needs no permission and no configuration.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

func main() { lambda.Start(handler.Echo) }
