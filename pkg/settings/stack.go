package settings

// Stack is what CloudFormation says of a stack.
type Stack struct {
	Name            string
	Account, Region string // that the stack is in
	Outputs         map[string]string
	Parameters      map[string]string
}

// IsDeployment reports whether the stack is a deployment of template.yaml, by its
// outputs.
func (s Stack) IsDeployment() bool {
	for _, setting := range Shared() {
		if _, has := s.Outputs[setting.Output]; setting.Output != "" && !has {
			return false
		}
	}
	return true
}

// Source finds settings in the outputs and parameters of the deployment's stack.
func (s Stack) Source() Source {
	return func(setting Setting) (text, name string, given bool) {
		if text, given = s.Outputs[setting.Output]; given {
			return text, "output " + setting.Output + " of stack " + s.Name, true
		}
		name = "parameter " + setting.Parameter + " of stack " + s.Name
		if text, given = s.Parameters[setting.Parameter]; given && text != "" && setting.Variable == OwnerAccounts.Variable {
			return s.Account + "," + text, name, true // the hub is always an owner
		}
		if !given || text != "" {
			return text, name, given
		}
		switch setting.Variable { // as template.yaml does for its functions
		case OwnerAccounts.Variable:
			return s.Account, name, true
		case GatewayRegions.Variable:
			return s.Region, name, true
		}
		return "", name, true
	}
}

// Otherwise finds settings in the first source, and those that are not given there,
// or are blank, in the second. What neither has is reported by its name in the first.
func Otherwise(first, second Source) Source {
	return func(s Setting) (string, string, bool) {
		text, name, given := first(s)
		if given && text != "" {
			return text, name, true
		}
		if other, otherName, is := second(s); is {
			return other, otherName, true
		}
		return text, name, given
	}
}
