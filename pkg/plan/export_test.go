package plan

// SidOf is the Sid of the statement that asks for one source address, as it is spelled.
func SidOf(installation string, where Narrowing) string {
	return compiler{limits: Limits{Installation: installation}}.sid(group{Where: where})
}

// NarrowedTo is a narrowing to an address, as it is spelled.
func NarrowedTo(address string) Narrowing { return Narrowing{IP: address} }
