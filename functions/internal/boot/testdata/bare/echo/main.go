// A bare handler without clients, as echo is.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func(message string) (string, error) { return message, nil }) }
