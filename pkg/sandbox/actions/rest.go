package actions

import "strings"

// route is an operation of a REST service: a method and a path, whose {name} is one
// segment and whose {name...} at the end is all the rest. Of routes that match, the
// first counts.
type route struct {
	method, path string
	action       string
	resource     func(c *call, path map[string]string) string
}

// match compares with the path as moto does, unescaped and without a slash at the
// end.
func (r route) match(method, path string) (map[string]string, bool) {
	if method != r.method {
		return nil, false
	}
	values := map[string]string{}
	given := strings.Split(strings.Trim(path, "/"), "/")
	for i, want := range strings.Split(strings.Trim(r.path, "/"), "/") {
		name, variable := strings.CutPrefix(strings.TrimSuffix(want, "}"), "{")
		rest, all := strings.CutSuffix(name, "...")
		switch {
		case i >= len(given):
			return nil, false
		case variable && all:
			values[rest] = strings.Join(given[i:], "/")
			return values, true
		case variable:
			values[name] = given[i]
		case given[i] != want:
			return nil, false
		}
	}
	return values, len(given) == strings.Count(strings.Trim(r.path, "/"), "/")+1
}

// routed asks for the action of the request's route.
func (c *call) routed(routes []route, path string) ([]Permission, error) {
	if !c.rest { // moto would do what is named, whatever the path
		c.operation = "(" + c.operation + ")"
		return unknown(c)
	}
	for _, r := range routes {
		if values, ok := r.match(c.HTTP.Method, path); ok {
			return []Permission{c.ask(r.action, r.resource(c, values))}, nil
		}
	}
	return unknown(c)
}

func everything(*call, map[string]string) string { return "*" }
