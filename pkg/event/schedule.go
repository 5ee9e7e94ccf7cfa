package event

import "time"

// What a schedule may ask for, as {"sweep": …}.
const (
	SweepDue          = "due"          // gateways that are due
	SweepGateways     = "gateways"     // the managed gateways of this minute's slot
	SweepOrganization = "organization" // every account of the organization
	SweepRechecks     = "rechecks"     // accounts that are to be read again
)

// Schedule is the input of a schedule.
type Schedule struct {
	Sweep string    // one of the constants above, or a name that is not known
	At    time.Time // when it was to run; zero where the input does not say
}

type scheduleInput struct {
	Sweep string    `json:"sweep"`
	At    time.Time `json:"at"`
}

const scheduledEvent = "Scheduled Event"

// parseScheduledEvent reads what a schedule without an input of its own sends. It
// stands for a listing of the organization.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
func parseScheduledEvent(envelope) (Event, error) {
	return Schedule{Sweep: SweepOrganization}, nil
}
