// Package storetest is the contract of the three tables, in sentences. The
// DynamoDB tables and their in-memory twin both pass it, so that what is proved
// on the twin holds for the product.
package storetest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

var (
	alpha = gateway("alpha-0123456789")
	beta  = gateway("beta-0123456789")
)

func gateway(id string) grant.Gateway {
	parsed, err := grant.ParseGateway("arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/" + id)
	if err != nil {
		panic(err)
	}
	return parsed
}

// at is a moment of the tests' own time, with more digits than a second has.
func at(minutes int) time.Time {
	return time.Date(2026, 11, 20, 9, 0, 0, 123456789, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func principals(t *testing.T, texts ...string) []grant.Principal {
	t.Helper()
	parsed := make([]grant.Principal, len(texts))
	for i, text := range texts {
		principal, err := grant.ParsePrincipal(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed[i] = principal
	}
	return parsed
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails where two values differ in more than how an absence is written.
func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(samePrincipal)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func samePrincipal(a, b grant.Principal) bool { return a == b }

// eventually polls what an index says, which follows its table with a delay.
func eventually[T any](t *testing.T, what string, want T, read func() (T, error)) {
	t.Helper()
	var got T
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var err error
		got, err = read()
		must(t, err)
		if cmp.Equal(want, got) {
			return
		}
	}
	t.Errorf("%s, after 10 s (-want +got):\n%s", what, cmp.Diff(want, got))
}

// cancelled is a context that has ended.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// filled sets every field that can be reached to something of its own, so that
// one that is forgotten shows.
func filled[T any]() T {
	var value T
	count := 0
	fill(reflect.ValueOf(&value).Elem(), &count)
	return value
}

func fill(value reflect.Value, count *int) {
	*count++
	if value.Type() == reflect.TypeFor[time.Time]() {
		value.Set(reflect.ValueOf(at(*count)))
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString(fmt.Sprintf("%s-%d", strings.ToLower(value.Type().Name()), *count))
	case reflect.Int:
		value.SetInt(int64(*count))
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Struct:
		for _, field := range value.Fields() {
			fill(field, count)
		}
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		fill(value.Index(0), count)
		fill(value.Index(1), count)
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
		fill(key, count)
		fill(element, count)
		value.SetMapIndex(key, element)
	default:
		panic("no value for a field of type " + value.Type().String())
	}
}
