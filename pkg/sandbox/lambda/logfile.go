package lambda

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// logFile is what a process prints. It is a file and not a pipe: whatever the
// process wrote before it answered is there to be read when the answer comes.
type logFile struct {
	*os.File
	to io.Writer

	mu   sync.Mutex
	read int64
}

func newLogFile(to io.Writer) (*logFile, error) {
	file, err := os.CreateTemp("", "lambda-log-")
	if err != nil {
		return nil, fmt.Errorf("making a file for the log: %w", err)
	}
	// An open file outlives its name; no cleanup is needed.
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("hiding the file for the log: %w", err)
	}
	return &logFile{File: file, to: to}, nil
}

// flush copies what is new to the log writer and returns its end.
func (l *logFile) flush() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, _ := io.ReadAll(io.NewSectionReader(l.File, l.read, 1<<62))
	l.read += int64(len(text))
	_, _ = l.to.Write(text) // a log that cannot be written fails no call
	return text[max(0, len(text)-logTail):]
}

// writerFunc is a function that writes.
type writerFunc func(text []byte)

func (f writerFunc) Write(text []byte) (int, error) {
	f(text)
	return len(text), nil
}
