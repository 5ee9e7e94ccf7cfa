// Package doctor judges a deployment by what was read of it. It finds what does not
// work as deployed, and says what to do about each. Pure: adapters read.
package doctor

import "time"

// Reading is what a look at something gave: its value, or why there is none.
type Reading[T any] struct {
	Value T
	Err   string // in words; "" where the value was read
}

// Facts are what was read of a deployment. What was not looked at because it does not
// apply is the zero Reading of its kind, and the stack's parameters say that it does not.
type Facts struct {
	Now     time.Time
	Region  string
	Account string
	// Name begins every name of the deployment; it is that of the grants table.
	Name string
	// Program is the version of the command line that looks, as its build names it.
	Program string

	Stack    Reading[Stack]
	Tables   []Table
	Sentinel Reading[bool]      // the row that proves the grants table is there
	Lists    []List             // of accounts, each proved by an item
	Synced   Reading[time.Time] // when a listing of the organization last ended; zero for never

	Mappings  Reading[[]Mapping]
	Rules     Reading[[]Rule]
	Schedules Reading[[]Schedule]
	Queues    []Queue
	Heartbeat Reading[bool] // a sweep has ended well within the last ten minutes
	Alarms    Reading[[]Alarm]
	Trails    Reading[[]Trail]

	Owners       []Owner
	Forwarders   Reading[[]Forwarder] // rules of other accounts and Regions
	Organization Reading[bool]        // the caller may read it, as the functions may
	StackSets    *Reading[bool]       // StackSets have trusted access to the organization; nil where the caller may not ask
	Attention    Reading[[]Gateway]   // gateways that need attention
	Approvals    Reading[[]string]    // what waits for an approval, in words
}

// Stack is the deployed stack.
type Stack struct {
	Name       string
	Missing    bool // there is none of that name
	Status     string
	Parameters map[string]string
	Outputs    map[string]string
}

// Table is one of the three tables.
type Table struct {
	Name   string
	Stream bool // it needs one
	Read   Reading[TableState]
}

// TableState is what DynamoDB says of a table.
type TableState struct {
	Missing   bool
	Status    string
	Protected bool // from deletion
	Recovery  bool // to a point in time
	Streaming bool
}

// List is a list of accounts.
type List struct {
	What   string // the accounts on it, in words
	Table  string
	Item   string // the file of the item that proves it
	Proved Reading[bool]
}

// Mapping hands records of a stream, or messages of a queue, to a function.
type Mapping struct {
	ID, Source, Function string
	State                string
	Problem              string // why its last run failed; "" for none
}

// Rule is a rule of EventBridge.
type Rule struct {
	Name, Bus string
	Enabled   bool
	Missing   bool
}

// Schedule is a schedule of EventBridge Scheduler.
type Schedule struct {
	Name, Group string
	Enabled     bool
	Missing     bool
	Mend        string // the command that enables it
	Directory   bool   // it is for the organization alone
}

// Queue is one whose messages were lost on the way.
type Queue struct {
	Name, URL string
	Lost      string // what its messages are
	Mend      string
	Messages  Reading[int]
}

// Alarm is a CloudWatch alarm of the stack.
type Alarm struct {
	Name        string
	Description string
	Ringing     bool
	Muted       bool // its actions are switched off
}

// Trail is a CloudTrail trail that records the Region.
type Trail struct {
	Name       string
	Logging    bool
	Management bool // it records management events that write
}

// Owner is an account, other than the hub, whose gateways are kept.
type Owner struct {
	Account string
	Assumed Reading[bool] // its role was assumed, and its gateways were listed
	// NotJoined says that sweeps have never listed its gateways: a state, and no fault.
	NotJoined bool
}

// Forwarder is a rule of another account or Region, through which doctor sends a probe.
type Forwarder struct {
	Account, Region string
	Rule            string
	Events          string // that it forwards, in words
	Template        string // of the stack that it belongs to
	NotTried        bool   // the caller is none of those that may send a probe there
	Unsent          string // why a probe could not be sent; "" where one was
	Arrived         bool
}

// Gateway is one that needs attention.
type Gateway struct {
	ARN        string
	Failing    bool
	LeftOut    int
	NearlyFull bool
	LetsIn     bool
	Siblings   []string // installations that have statements there, too
}
