package actions

import (
	"regexp"
	"strings"
)

// lambdaRoutes are without the version of the API, which each has one of its own.
var lambdaRoutes = []route{
	{"GET", "/functions", "ListFunctions", everything},
	{"POST", "/functions", "CreateFunction", functionInBody},
	{"GET", "/functions/{name}", "GetFunction", function},
	{"DELETE", "/functions/{name}", "DeleteFunction", function},
	{"GET", "/functions/{name}/configuration", "GetFunctionConfiguration", function},
	{"PUT", "/functions/{name}/configuration", "UpdateFunctionConfiguration", function},
	{"PUT", "/functions/{name}/code", "UpdateFunctionCode", function},
	{"GET", "/functions/{name}/policy", "GetPolicy", function},
	{"POST", "/functions/{name}/policy", "AddPermission", function},
	{"DELETE", "/functions/{name}/policy/{statement}", "RemovePermission", function},
	{"GET", "/functions/{name}/versions", "ListVersionsByFunction", function},
	{"POST", "/functions/{name}/versions", "PublishVersion", function},
	{"GET", "/functions/{name}/concurrency", "GetFunctionConcurrency", function},
	{"PUT", "/functions/{name}/concurrency", "PutFunctionConcurrency", function},
	{"DELETE", "/functions/{name}/concurrency", "DeleteFunctionConcurrency", function},
	{"GET", "/functions/{name}/event-invoke-config", "GetFunctionEventInvokeConfig", function},
	{"PUT", "/functions/{name}/event-invoke-config", "PutFunctionEventInvokeConfig", function},
	{"DELETE", "/functions/{name}/event-invoke-config", "DeleteFunctionEventInvokeConfig", function},
	{"GET", "/event-source-mappings", "ListEventSourceMappings", everything},
	{"POST", "/event-source-mappings", "CreateEventSourceMapping", everything},
	{"GET", "/event-source-mappings/{name}", "GetEventSourceMapping", mapping},
	{"PUT", "/event-source-mappings/{name}", "UpdateEventSourceMapping", mapping},
	{"DELETE", "/event-source-mappings/{name}", "DeleteEventSourceMapping", mapping},
	{"GET", "/tags/{arn...}", "ListTags", arnInPath},
	{"POST", "/tags/{arn...}", "TagResource", arnInPath},
	{"DELETE", "/tags/{arn...}", "UntagResource", arnInPath},
}

var apiVersion = regexp.MustCompile(`^/[0-9]{4}-[0-9]{2}-[0-9]{2}/`)

// lambda asks for all but Invoke, which the runner of the functions decides.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
func lambda(c *call) ([]Permission, error) {
	version := apiVersion.FindString(c.HTTP.URL.Path)
	if version == "" {
		return unknown(c)
	}
	return c.routed(lambdaRoutes, c.HTTP.URL.Path[len(version)-1:])
}

func function(c *call, path map[string]string) string {
	return c.function(path["name"], c.query.Get("Qualifier"))
}

func functionInBody(c *call, _ map[string]string) string {
	return c.function(c.params.text("FunctionName"), "")
}

// function takes a name, ACCOUNT:function:NAME, or an ARN, each with a qualifier
// at its end or not.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html#lambda-GetFunction-request-uri-FunctionName
func (c *call) function(name, qualifier string) string {
	arn := c.arn(name, "function:")
	if owner, rest, ok := strings.Cut(name, ":function:"); ok && !strings.HasPrefix(name, "arn:") {
		arn = "arn:aws:lambda:" + c.Region + ":" + owner + ":function:" + rest
	}
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

func mapping(c *call, path map[string]string) string {
	return c.arn(path["name"], "event-source-mapping:")
}
