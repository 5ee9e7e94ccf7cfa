// Comparison with another library, apart so that the product depends on none of it.
module github.com/gateway-grants/gateway-grants/.ci/bench

go 1.26

require (
	github.com/gateway-grants/gateway-grants v0.0.0
	github.com/hashicorp/awspolicyequivalence v1.7.0
)

require (
	github.com/aws/aws-sdk-go-v2 v1.47.7 // indirect
	github.com/mitchellh/mapstructure v1.5.0 // indirect
)

replace github.com/gateway-grants/gateway-grants => ../..
