package plan

// SidOf is the Sid of the statement that asks for one source address, as it is spelled.
func SidOf(installation string, where narrowing) string {
	return compiler{limits: Limits{Installation: installation}}.sid(group{where: where})
}

// NarrowedTo is a narrowing to an address, as it is spelled.
func NarrowedTo(address string) narrowing { return narrowing{ip: address} }
