package actions

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// UnreadableError says why a request cannot be read, to its sender.
type UnreadableError struct{ Message string }

func (e *UnreadableError) Error() string { return e.Message }

// call is a request taken apart.
type call struct {
	Request

	prefix    string // of actions
	operation string // by name; of an operation of REST, whose service has to know it, its method and path
	rest      bool   // nothing names an operation
	params    object
	query     url.Values // of the URL
}

// object is a JSON object, or a form whose values are texts. Its names are exact:
// moto would not take "tableName" for "TableName" either.
type object map[string]any

func (o object) text(name string) string {
	value, _ := o[name].(string)
	return value
}

func (o object) object(name string) object {
	value, _ := o[name].(map[string]any)
	return value
}

func (o object) objects(name string) []object {
	list, _ := o[name].([]any)
	var objects []object
	for _, element := range list {
		value, _ := element.(map[string]any)
		objects = append(objects, value)
	}
	return objects
}

func (o object) texts(name string) []string {
	list, _ := o[name].([]any)
	var texts []string
	for _, element := range list {
		if value, ok := element.(string); ok {
			texts = append(texts, value)
		}
	}
	return texts
}

// read finds the operation wherever a protocol of AWS names it: X-Amz-Target
// (awsJson), Action in a form or in the URL (query), or the last segment of the
// path (RPC v2 CBOR). A request that names two is refused, lest one be decided and
// the other done.
// https://smithy.io/2.0/aws/protocols/index.html
func read(r Request) (*call, error) {
	c := &call{Request: r, prefix: r.Service, params: object{}}
	if prefix, ok := prefixes[r.Service]; ok {
		c.prefix = prefix
	}
	var err error
	if c.query, err = url.ParseQuery(r.HTTP.URL.RawQuery); err != nil {
		return nil, &UnreadableError{"The query string is malformed: " + err.Error()}
	}
	named := append([]string(nil), c.query["Action"]...)
	if target := r.HTTP.Header.Get("X-Amz-Target"); target != "" {
		named = append(named, target[strings.LastIndexByte(target, '.')+1:])
	}
	if r.HTTP.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		path := r.HTTP.URL.Path
		named = append(named, path[strings.LastIndexByte(path, '/')+1:])
	}
	form, err := c.readBody()
	if err != nil {
		return nil, err
	}
	named = append(named, form["Action"]...)
	switch len(named) {
	case 0:
		c.rest = true
		c.operation = "(" + r.HTTP.Method + " " + r.HTTP.URL.EscapedPath() + ")"
	case 1:
		c.operation = named[0]
	default:
		return nil, &UnreadableError{"The request names more than one operation: " + strings.Join(named, ", ")}
	}
	return c, nil
}

// readBody takes the parameters out of a form or of JSON, which REST calls may be
// without. What a form gives several times, a list of one name, has no meaning in
// the query protocol.
func (c *call) readBody() (url.Values, error) {
	contentType := c.HTTP.Header.Get("Content-Type")
	switch {
	case c.Service != "s3" && strings.HasPrefix(contentType, "application/x-www-form-urlencoded"):
		form, err := url.ParseQuery(string(c.Body))
		if err != nil {
			return nil, &UnreadableError{"The form is malformed: " + err.Error()}
		}
		for _, values := range []url.Values{c.query, form} {
			for name, given := range values {
				if _, taken := c.params[name]; taken || len(given) != 1 {
					return nil, &UnreadableError{"The request gives " + name + " more than once."}
				}
				c.params[name] = given[0]
			}
		}
		return form, nil
	case c.Service != "s3" && strings.Contains(contentType, "json") && len(c.Body) > 0:
		if err := json.Unmarshal(c.Body, (*map[string]any)(&c.params)); err != nil {
			return nil, &UnreadableError{"The body is no JSON object: " + err.Error()}
		}
	case c.query.Has("Action"):
		for name, given := range c.query {
			c.params[name] = given[0]
		}
	}
	return nil, nil
}

// is says whether the operation is one of those.
func (c *call) is(operations ...string) bool { return slices.Contains(operations, c.operation) }
