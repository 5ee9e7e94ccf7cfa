package ledger

import "time"

const (
	// backOffFrom is how many overwrites in a row make repairs back off.
	backOffFrom = 3
	// inARow is how close together they must be.
	inARow = time.Hour
	// backOffWait is for how long nothing is put back, doubled each time.
	backOffWait = 5 * time.Minute
)

// overwrite counts one more repair of what others did to our statements.
func (l *Ledger) overwrite(now time.Time) {
	if now.Sub(l.OverwrittenAt) > inARow {
		l.Overwritten = 0
	}
	l.Overwritten++
	l.OverwrittenAt = now
}

// BacksOff reports whether our statements were overwritten so often that repairs wait.
func (l Ledger) BacksOff() bool { return l.Overwritten >= backOffFrom }

// BackOffUntil is until when our statements stay as others left them: two automations
// that undo each other's work without end help no one. Zero for no back-off.
func (l Ledger) BackOffUntil() time.Time {
	if !l.BacksOff() {
		return time.Time{}
	}
	return l.OverwrittenAt.Add(backOffWait << min(l.Overwritten-backOffFrom, 3))
}
