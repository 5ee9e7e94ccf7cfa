package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"time"
)

// eventsListener is where moto hands over the events that rules pick for
// functions. Only they know where that is.
type eventsListener struct {
	net.Listener
	path, url string
}

func listenForEvents(ctx context.Context) (*eventsListener, error) {
	listener, err := listen(ctx, 0)
	if err != nil {
		return nil, err
	}
	path := "/" + rand.Text()
	return &eventsListener{listener, path, "http://" + listener.Addr().String() + path}, nil
}

// serve hands events on until the listener is closed.
func (e *eventsListener) serve(events http.Handler) {
	mux := http.NewServeMux()
	mux.Handle("POST "+e.path, events)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	_ = server.Serve(e) // it ends with the listener
}
