package runner

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// maxUnpacked is how large a deployment package may be when it is unpacked, in
// bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxUnpacked = 250 << 20

// program is how to start a function.
type program struct {
	path         string
	arguments    []string
	directory    string // of the code
	architecture string // that path has to be for; "" if it is not the function's own
}

// program unpacks the code of a function, unless that is there already, and says
// how to start it. A function that can never run is a *lambda.Error.
func (r *Runner) program(ctx context.Context, d cloud.DeployedFunction, unpacked string) (program, error) {
	known := strings.HasPrefix(d.Runtime, "provided") || strings.HasPrefix(d.Runtime, "python3.")
	if !known {
		return program{}, &lambda.Error{
			Status: http.StatusBadGateway, Code: "InvalidRuntimeException",
			Message: fmt.Sprintf("The sandbox runs functions of the runtimes provided.* and python3.*; %s has runtime %q.", d.ARN, d.Runtime),
		}
	}
	directory := unpacked
	if directory == "" {
		var err error
		if directory, err = r.unpack(ctx, d); err != nil {
			return program{}, err
		}
	}
	if strings.HasPrefix(d.Runtime, "python3.") {
		// AWS's own client of the runtime API. The interpreter is this machine's,
		// whatever its version: python3.12 runs on it as well as python3.11.
		// https://docs.aws.amazon.com/lambda/latest/dg/python-image.html#python-image-clients
		return program{path: r.Python, arguments: []string{"-m", "awslambdaric", d.Handler}, directory: directory}, nil
	}
	return program{path: filepath.Join(directory, "bootstrap"), directory: directory, architecture: d.Architecture}, nil
}

// unpack gives the code a directory of its own.
func (r *Runner) unpack(ctx context.Context, d cloud.DeployedFunction) (directory string, err error) {
	code, err := r.Source.Code(ctx, d.ARN)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(code)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != d.Code {
		return "", fmt.Errorf("the code of %s has changed while it was read: its SHA-256 is %s, not %s", d.ARN, got, d.Code)
	}
	if err := os.MkdirAll(r.Code, 0o700); err != nil {
		return "", fmt.Errorf("making the directory for code: %w", err)
	}
	directory, err = os.MkdirTemp(r.Code, nameOf(d.ARN)+"-")
	if err != nil {
		return "", fmt.Errorf("making a directory for the code of %s: %w", d.ARN, err)
	}
	if err := unzip(code, directory); err != nil {
		_ = os.RemoveAll(directory)
		return "", &lambda.Error{
			Status: http.StatusBadGateway, Code: "InvalidZipFileException",
			Message: fmt.Sprintf("Lambda could not unzip the deployment package of %s: %v", d.ARN, err),
		}
	}
	return directory, nil
}

// unzip writes what the archive holds below the directory, and nothing elsewhere.
func unzip(archive []byte, directory string) error {
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return fmt.Errorf("reading the archive: %w", err)
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return fmt.Errorf("opening %s: %w", directory, err)
	}
	defer root.Close()
	left := int64(maxUnpacked)
	for _, file := range reader.File {
		written, err := unzipFile(root, file, left)
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", file.Name, err)
		}
		left -= written
	}
	return nil
}

func unzipFile(root *os.Root, file *zip.File, most int64) (int64, error) {
	name := filepath.FromSlash(strings.TrimSuffix(file.Name, "/"))
	if !filepath.IsLocal(name) {
		return 0, errors.New("it would be outside of the function's directory")
	}
	mode := file.Mode()
	if mode.IsDir() {
		return 0, root.MkdirAll(name, 0o755) //nolint:wrapcheck // the caller says which file
	}
	if !mode.IsRegular() {
		return 0, fmt.Errorf("it is no file, but %s", mode.Type())
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return 0, err //nolint:wrapcheck // the caller says which file
	}
	return copyFile(root, name, file, permissions(mode), most)
}

// permissions keep what makes a bootstrap run. Archives made elsewhere than on
// Unix tell none, and everybody can read such files.
func permissions(mode fs.FileMode) fs.FileMode {
	if mode&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

func copyFile(root *os.Root, name string, file *zip.File, mode fs.FileMode, most int64) (written int64, err error) {
	from, err := file.Open()
	if err != nil {
		return 0, err //nolint:wrapcheck // the caller says which file
	}
	defer from.Close()
	to, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return 0, err //nolint:wrapcheck // the caller says which file
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	written, err = io.Copy(to, io.LimitReader(from, most+1))
	if err == nil && written > most {
		err = fmt.Errorf("the package has more than %d bytes unpacked", maxUnpacked)
	}
	return written, err
}
