package delivery

import (
	"crypto/rand"
	"fmt"
)

// millis is how AWS writes the times of its own messages.
const millis = "2006-01-02T15:04:05.000Z"

// newID is a UUID of version 4.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
