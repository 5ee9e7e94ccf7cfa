package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
)

// LocalOptions say how to run DynamoDB Local.
type LocalOptions struct {
	Directory string // holds DynamoDBLocal.jar and DynamoDBLocal_lib; required
	Log       string // file that takes its output, written afresh; required
}

// DynamoDBLocal is a running DynamoDB Local. It keeps everything in memory. Its
// licence is for holders of an AWS account, so it is never ours to ship: whoever
// wants it says where it is.
type DynamoDBLocal struct {
	*process
	endpoint string
}

// StartDynamoDBLocal starts DynamoDB Local with the java of PATH, and returns
// when it answers, within 30 seconds or with an error. The caller must Stop it.
// Its stream ARNs carry the region "ddblocal".
func StartDynamoDBLocal(ctx context.Context, options LocalOptions) (*DynamoDBLocal, error) {
	if options.Directory == "" || options.Log == "" {
		return nil, errors.New("starting DynamoDB Local: LocalOptions need Directory and Log")
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	process, err := spawn("DynamoDB Local", options.Log, plainEnvironment(),
		"java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djava.library.path="+filepath.Join(options.Directory, "DynamoDBLocal_lib"),
		"-jar", filepath.Join(options.Directory, "DynamoDBLocal.jar"),
		"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(int(address.Port())))
	if err != nil {
		return nil, err
	}
	local := &DynamoDBLocal{process: process, endpoint: "http://" + address.String()}
	if err := process.until(ctx, func() bool { return answers(ctx, local.endpoint) }); err != nil {
		return nil, err
	}
	return local, nil
}

// Endpoint is the server's URL, for an AWS client's BaseEndpoint.
func (d *DynamoDBLocal) Endpoint() string { return d.endpoint }

// freeAddress returns a loopback address that nobody listens on: DynamoDB Local
// does not say which port it took when it is left to choose.
func freeAddress(ctx context.Context) (netip.AddrPort, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("looking for a free port: %w", err)
	}
	address, err := netip.ParseAddrPort(listener.Addr().String())
	return address, errors.Join(err, listener.Close())
}

// answers says whether anything speaks HTTP at url, be it a refusal.
func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}
